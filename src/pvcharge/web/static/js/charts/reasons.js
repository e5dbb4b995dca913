/** The reasons of decisions in a few groups, so that a day can be read at a glance. */

export const GROUPS = ["sun", "minimum", "boost", "waiting", "late", "calm", "fault"];

const GROUP_OF = {
	following: "sun",
	min_on_time: "sun",
	minimum: "minimum",
	stale_minimum: "minimum",
	boost: "boost",
	too_little: "waiting",
	not_worth_it: "waiting",
	min_off_time: "waiting",
	switch_limit: "waiting",
	no_data: "late",
	no_status: "late",
	stale_hold: "late",
	stale_stop: "late",
	no_car: "calm",
	switched_off: "calm",
	by_hand: "calm",
	charger_fault: "fault",
	charger_limit: "fault",
	none: "fault",
};

export function groupOf(reason) {
	return GROUP_OF[reason] ?? "calm";
}
