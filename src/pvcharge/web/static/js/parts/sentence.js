/** The one sentence that says what is being done and why, whose readings it rests on, and how old they are. */

import { groupOf } from "../charts/reasons.js";
import { attribute, h, say } from "../dom.js";
import { duration } from "../format.js";
import { isStale } from "../flow_model.js";
import { lang, t } from "../i18n.js";
import { store } from "../store.js";

const QUIET_MS = 10_000; // between two announcements

export function sentence() {
	const text = h("p", { class: "why-text", test: "sentence" }, "\u00a0");
	const source = h("span", { class: "why-source", test: "source" });
	const badge = h("span", { class: "badge", test: "age" });
	const kind = h("span", { class: "why-kind" }, "\u00a0");
	const spoken = h("p", { class: "sr-only", "aria-live": "polite" });
	const announce = announcer(spoken);
	const element = h(
		"section",
		{ class: "why", "aria-label": t("why.title") },
		kind,
		text,
		h("p", { class: "why-foot" }, badge, source),
		spoken,
	);
	return {
		element,
		update() {
			const state = store.state;
			if (!state) return;
			const words = state.texts?.[lang()] ?? state.texts?.en ?? {};
			const { reason, mode } = state.values;
			const said = words.reason || t(state.role === "edge" ? "why.edge" : "why.nobody");
			say(text, unbroken(said));
			say(source, words.source ?? "");
			const none = state.role === "edge" ? "edge" : "none";
			say(kind, t(`reason.${reason ?? none}`));
			attribute(element, "data-group", groupOf(reason ?? none));
			showAge(badge, state);
			announce(`${reason}/${mode}`, said);
		},
	};
}

function showAge(badge, state) {
	const age = state.values.reading_age_s ?? null;
	const stale = isStale(state);
	badge.hidden = state.role === "edge";
	badge.classList.toggle("is-stale", stale);
	say(badge, age === null ? t("why.no_reading") : t(stale ? "why.stale" : "why.age", { age: duration(age) }));
}

/** Keeps a number and its unit on one line. */
function unbroken(text) {
	return text.replace(/(\d) (?=(?:kWh?|W|A|min|s|h|%)(?![a-z]))/g, "$1\u00a0");
}

/** Speaks when the reason changes, not when a number does, and never twice within a short while. */
function announcer(region) {
	let last = null;
	let next = "";
	let timer = 0;
	let spokenAt = -QUIET_MS;
	return (key, text) => {
		next = text;
		if (key === last) return;
		const first = last === null;
		last = key;
		if (first || timer) return;
		const wait = Math.max(0, spokenAt + QUIET_MS - performance.now());
		timer = setTimeout(() => {
			timer = 0;
			spokenAt = performance.now();
			say(region, next);
		}, wait);
	};
}
