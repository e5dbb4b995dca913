/** What the picture of the energy flow shows, reckoned from the published values. */

import { keep, recall } from "./prefs.js";

const OLD_S = 120; // from here on the age of a reading is told
const VERY_OLD_S = 3600; // whatever the source, and whether or not anybody goes by it
const SAME_MOMENT_S = 90; // older readings and the charger's own power do not belong together

const STALE_REASONS = new Set(["stale_hold", "stale_minimum", "stale_stop", "no_data", "no_status"]);

let battery = recall("battery") === "yes"; // once seen it stays in the picture, so that nothing jumps

export function flowOf(state) {
	const v = state.values;
	const age = v.reading_age_s ?? null;
	const load = v.load_w ?? null;
	const car = v.charger_power_w ?? null;
	const together = age === null || age < SAME_MOMENT_S;
	if (!battery && (v.battery_w ?? v.battery_soc_pct ?? null) !== null) {
		battery = true;
		keep("battery", "yes");
	}
	return {
		pv: v.pv_w ?? null,
		grid: v.grid_w ?? null, // + bought, - sold
		battery: v.battery_w ?? null, // + charging
		soc: v.battery_soc_pct ?? null,
		hasBattery: battery,
		house: load === null ? null : together ? Math.max(0, load - (car ?? 0)) : load,
		houseHasCar: !together && load !== null,
		car,
		carState: v.charger_state ?? null,
		ownShare: ownShare(v),
		age,
		old: age !== null && age > OLD_S,
		stale: isStale(state),
	};
}

function ownShare(v) {
	if (v.grid_w == null || !(v.load_w > 20)) return null;
	const used = v.load_w + Math.max(0, v.battery_w ?? 0);
	return Math.min(1, Math.max(0, 1 - Math.max(0, v.grid_w) / used));
}

/** @returns {boolean} whether what is shown is no longer true enough to act on */
export function isStale({ values: v }) {
	const blind = [v.pv_w, v.grid_w, v.load_w].every((it) => it == null);
	return STALE_REASONS.has(v.reason) || blind || v.reading_age_s > VERY_OLD_S;
}
