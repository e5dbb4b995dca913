/** What an edge shows: its link to the controller, and what the charger does when that is lost. */

import { attribute, cardWith, h, say } from "../dom.js";
import { dateTime, duration } from "../format.js";
import { t, tAny } from "../i18n.js";
import { store } from "../store.js";

export function edgeCard() {
	const pill = h("span", { class: "pill", test: "link-state" }, "–");
	const since = h("p");
	const error = h("p", { class: "help" });
	const alone = h("p", { test: "edge-alone" });
	const element = cardWith(pill, "edge", t("edge.link"), since, error, h("h3", {}, t("edge.alone")), alone);
	element.classList.add("edge");
	return {
		element,
		update() {
			const state = store.state;
			if (state?.role !== "edge") return;
			const link = state.devices.find((it) => it.kind === "link");
			say(pill, t(link ? (link.ok ? "edge.connected" : "edge.lost") : "edge.unknown"));
			attribute(pill, "data-state", link ? (link.ok ? "charging" : "error") : "unknown");
			const params = link ? { time: dateTime(link.since), age: duration((Date.parse(state.at) - Date.parse(link.since)) / 1000) } : {};
			say(since, link ? t("edge.since", params) : "");
			say(error, link?.error ?? "");
			say(alone, tAny(`edge.alone.${onSilence(state)}`, "edge.alone.unknown"));
		},
	};
}

function onSilence(state) {
	return state.on_silence ?? state.devices.map((it) => it.facts?.on_silence).find(Boolean) ?? "unknown";
}
