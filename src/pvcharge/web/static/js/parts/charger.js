/** The charger and the car at it: power now, on what, and what this charge has brought. */

import { attribute, h, say, term } from "../dom.js";
import { clockTime, duration, energy, kw, level, money, percent } from "../format.js";
import { t } from "../i18n.js";
import { store } from "../store.js";

const FACTS = {
	on: (v) => (v.charger_phases ? level(v.charger_phases, v.charger_current_a) : "–"),
	wanted: (v) => level(v.setpoint_phases, v.setpoint_a),
	session: (v, session) => energy(session?.energy_kwh ?? v.session_kwh),
	time: (_v, session) => duration(session?.charging_s),
	since: (_v, session) => clockTime(session?.started_at),
	saved: (_v, session) => money(session?.saved),
};

export function chargerCard() {
	const name = h("h2", { id: "charger-title" }, t("charger.title"));
	const pill = h("span", { class: "pill", test: "charger-state" }, "–");
	const watts = h("span", { class: "big-number", test: "charger-power" }, "–");
	const facts = Object.keys(FACTS).map((key) => h("dd", { test: `charger-${key}` }, "–"));
	const bar = h("span", { class: "bar-fill c-pv" });
	const share = h("strong", { test: "solar-share" }, "–");
	const element = h(
		"section",
		{ class: "charger", "aria-labelledby": "charger-title" },
		h("header", { class: "card-head" }, name, pill),
		h("p", { class: "charger-power" }, watts, h("span", { class: "unit" }, "kW")),
		h("dl", { class: "facts" }, Object.keys(FACTS).map((key, index) => term(t(`charger.${key}`), facts[index]))),
		h("div", { class: "share" }, h("p", { class: "share-words" }, t("charger.share"), share), h("div", { class: "bar", "aria-hidden": "true" }, bar)),
	);
	return {
		element,
		update() {
			if (!store.state) return;
			const { values, session, devices } = store.state;
			const state = values.charger_state ?? "unknown";
			say(name, devices.find((it) => it.kind === "charger")?.name ?? t("charger.title"));
			say(pill, t(`charger.state.${state}`));
			attribute(pill, "data-state", state);
			say(watts, kw(values.charger_power_w));
			Object.values(FACTS).forEach((words, index) => say(facts[index], words(values, session)));
			say(share, percent(session?.solar_share));
			bar.style.setProperty("--part", String(session?.solar_share ?? 0));
		},
	};
}
