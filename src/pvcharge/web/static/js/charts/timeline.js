/** Why, over a day: a band of the reasons below the chart, with a legend that tells how long each held. */

import { arrowKeys, asTable, attribute, h, say, swatch } from "../dom.js";
import { clockTime, duration } from "../format.js";
import { t, tAny } from "../i18n.js";
import { GROUPS, groupOf } from "./reasons.js";

export function timeline() {
	const band = h("div", { class: "band", role: "group", "aria-label": t("day.reasons") });
	const told = h("p", { class: "band-told", test: "reason-told" }, t("day.reasons.hint"));
	const legend = h("ul", { class: "legend-list" });
	const rows = h("tbody");
	const columns = ["from", "to", "reason", "mode", "setpoint"].map((key) => t(`day.col.${key}`));
	const list = asTable(t("as_table"), t("day.reasons"), columns, rows);
	const element = h("div", { class: "timeline" }, h("h2", {}, t("day.reasons")), band, told, legend, list);
	let spans = [];
	let pinned = null;

	const label = (span) => `${clockTime(span.start * 1000)} – ${clockTime(span.end * 1000)} · ${reasonWords(span)} · ${level(span.setpoint)}`;

	function show(day) {
		spans = day.reasons.filter((it) => it.end > it.start);
		pinned = null;
		band.replaceChildren(...spans.map((span, index) => piece(span, index, day)));
		rows.replaceChildren(...spans.map((span) => row(span)));
		legend.replaceChildren(...totals(spans));
		list.hidden = !spans.length;
		say(told, t(spans.length ? "day.reasons.hint" : "day.reasons.none"));
	}

	function piece(span, index, day) {
		const whole = day.end - day.start;
		return h("button", {
			type: "button",
			class: "band-piece",
			"data-group": groupOf(span.reason),
			tabindex: index ? "-1" : "0",
			"aria-label": label(span),
			vars: { "--from": String((span.start - day.start) / whole), "--long": String((span.end - span.start) / whole) },
			on: { pointerenter: () => tell(span), pointerleave: () => tell(pinned), focus: () => pin(span), click: () => pin(span) },
		});
	}

	function pin(span) {
		pinned = span;
		for (const [index, it] of [...band.children].entries()) it.tabIndex = spans[index] === span ? 0 : -1;
		tell(span);
	}

	function tell(span) {
		say(told, span ? label(span) : t("day.reasons.hint"));
		for (const [index, it] of [...band.children].entries()) attribute(it, "data-on", spans[index] === span ? "" : null);
	}

	arrowKeys(band, ".band-piece", () => {});
	return {
		element,
		show,
		point: (seconds) => {
			if (!spans.length) return;
			tell(seconds === null ? pinned : spans.find((it) => it.start <= seconds && seconds < it.end) ?? null);
		},
	};
}

const reasonWords = (span) => tAny(`reason.${span.reason}`);

/** @param {string} setpoint such as "3p 8 A" or "off" */
const level = (setpoint) => (/^\dp /.test(setpoint) ? setpoint.replace("p ", " × ") : t("level.off"));

function row(span) {
	const cells = [clockTime(span.start * 1000), clockTime(span.end * 1000), reasonWords(span), t(`mode.${span.mode}`), level(span.setpoint)];
	return h("tr", {}, cells.map((cell) => h("td", {}, cell)));
}

function totals(spans) {
	const long = {};
	for (const span of spans) long[groupOf(span.reason)] = (long[groupOf(span.reason)] ?? 0) + span.end - span.start;
	return GROUPS.filter((group) => long[group]).map((group) =>
		h("li", {}, swatch("", group), h("span", {}, t(`group.${group}`)), h("span", { class: "quiet" }, duration(long[group]))),
	);
}
