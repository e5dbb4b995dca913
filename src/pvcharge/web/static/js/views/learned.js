/** What the controller has learned of each source of readings, in words, and how to make it forget. */

import { get, remove } from "../api.js";
import { button, cardWith, h, term } from "../dom.js";
import { dateTime, duration, number, percent, power } from "../format.js";
import { t } from "../i18n.js";
import { icon } from "../icons.js";
import { confirmed, toast, toastError, wordsFor } from "../notices.js";

/** What is told of a source: key of the words, and the text, null where it is not known. */
const TOLD = [
	["heard", (it) => it.heard_at && dateTime(it.heard_at)],
	["pause", (it) => seconds(it.usual_pause_s)],
	["age", (it) => (it.ages ? spread(it.ages) : seconds(it.usual_age_s))],
	["gain", (it) => known(it.gain?.gain, (gain) => number(gain, 2))],
	["clear_days", (it) => known(it.forecast?.clear_day?.seen_days, (days) => number(days, 1))],
	["clear_most", (it) => known(it.forecast?.clear_day?.greatest_w, power)],
	["clearness", (it) => known(it.forecast?.usual_clearness, percent)],
	["rest", (it) => known(it.forecast?.usual_clearness, () => power(it.forecast.usual_rest_w))], // without the roof
];

export function learnedCard() {
	const body = h("div", { test: "learned" });
	const forget = button("button quiet danger-text", () => ask(), { test: "forget" }, icon("trash"), t("learned.forget"));
	const element = cardWith(forget, "learned", t("learned.title"), h("p", { class: "help" }, t("learned.help")), body);

	async function load() {
		try {
			const { learned } = await get("learned");
			const sources = learned.sources ?? [];
			body.replaceChildren(...(sources.length ? sources.map((it) => sourceBlock(it)) : [h("p", { class: "quiet" }, t("learned.nothing"))]));
		} catch (error) {
			body.replaceChildren(h("p", { class: "quiet" }, wordsFor(error)));
		}
	}

	async function ask() {
		if (!(await confirmed(t("learned.forget.title"), t("learned.forget.text"), t("learned.forget")))) return;
		try {
			await remove("learned");
			toast(t("learned.forgotten"));
		} catch (error) {
			toastError(error);
		}
		load();
	}

	return { element, loaded: load() };
}

function sourceBlock(source) {
	const rows = TOLD.map(([key, tell]) => [key, tell(source)]).filter(([, text]) => text);
	const hours = source.forecast?.clear_day?.by_hour_w ?? [];
	return h(
		"div",
		{ class: "learned-source" },
		h("h3", {}, source.name),
		h("dl", {}, rows.map(([key, text]) => term(t(`learned.${key}`), text, "learned-row")), hours.length > 0 && clearDay(hours)),
	);
}

/** The power of a clear day, hour by hour. */
function clearDay(hours) {
	const most = Math.max(1, ...hours.map((it) => it ?? 0));
	const bars = hours.map((it) => h("span", { vars: { "--part": String((it ?? 0) / most) } }));
	return term(t("learned.clear_day"), h("dd", { class: "spark-cell" }, h("span", { class: "spark", role: "img", "aria-label": t("learned.clear_day") }, bars)), "learned-row");
}

function known(value, words) {
	return value == null ? null : words(value);
}

function seconds(value) {
	return known(value, duration);
}

function spread({ mean_s: mean, spread_s: wide }) {
	return `${duration(mean)} ± ${duration(wide)}`;
}
