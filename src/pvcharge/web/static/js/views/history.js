/** What has been: a day as curves and reasons, a month or a year as bars, and what was saved. */

import { get } from "../api.js";
import { energyBars } from "../charts/bars.js";
import { dayChart } from "../charts/day.js";
import { timeline } from "../charts/timeline.js";
import { serverNow } from "../clock.js";
import { button, card, h, say, term } from "../dom.js";
import { calendar, energy, money, number, percent, siteDate } from "../format.js";
import { t } from "../i18n.js";
import { icon } from "../icons.js";
import { segments } from "../parts/segments.js";
import { wordsFor } from "../notices.js";

const SPANS = ["day", "month", "year"];
const RENEW_MS = 60_000;

export function mount(root) {
	let span = "day";
	let date = siteDate(serverNow());
	let asked = 0;
	const reasons = timeline();
	const chart = dayChart((at) => reasons.point(at));
	const bars = energyBars();
	const sums = h("dl", { class: "tiles", test: "sums" });
	const problem = h("p", { class: "notice", role: "status", hidden: true });
	const dayCard = h("section", { class: "card", "aria-label": t("day.chart") }, chart.element, reasons.element);
	const barCard = h("section", { class: "card", "aria-label": t("bars.title"), hidden: true }, bars.element);
	const content = h("div", { class: "history-content" }, sums, dayCard, barCard);
	const saved = card("savings", t("savings.title"));
	const picker = datePicker();
	const tabs = segments("span", SPANS, (next) => {
		span = next;
		load();
	});
	tabs.mark(span);
	root.append(h("div", { class: "history" }, h("div", { class: "toolbar" }, tabs.element, picker.element), problem, content, saved));

	function datePicker() {
		const input = h("input", { type: "date", class: "date-input", "aria-label": t("date.pick"), tabindex: "-1", on: { change: () => input.value && go(input.value) } });
		const label = h("span", { test: "date" });
		const pick = button("button quiet date-button", () => open(input), {}, label);
		const step = (by, name, shape) => button("icon-button", () => go(moved(by)), { "aria-label": t(name), test: by < 0 ? "prev" : "next" }, icon(shape));
		const [before, after] = [step(-1, "date.prev", "left"), step(1, "date.next", "right")];
		return { element: h("div", { class: "date-picker" }, before, h("span", { class: "date-box" }, pick, input), after), label, input, after };
	}

	function go(next) {
		const today = siteDate(serverNow());
		date = next > today ? today : next;
		load();
	}

	function moved(by) {
		const at = new Date(`${date}T12:00:00Z`);
		if (span === "day") at.setUTCDate(at.getUTCDate() + by);
		else if (span === "month") at.setUTCMonth(at.getUTCMonth() + by, 1);
		else at.setUTCFullYear(at.getUTCFullYear() + by, 0, 1);
		return at.toISOString().slice(0, 10);
	}

	function showDate() {
		const shapes = { day: { weekday: "short", day: "numeric", month: "long", year: "numeric" }, month: { month: "long", year: "numeric" }, year: { year: "numeric" } };
		const today = siteDate(serverNow());
		say(picker.label, calendar(date, shapes[span]));
		picker.input.value = date;
		picker.input.max = today;
		const cut = { day: 10, month: 7, year: 4 }[span];
		picker.after.disabled = date.slice(0, cut) >= today.slice(0, cut);
	}

	async function load() {
		const turn = ++asked;
		showDate();
		dayCard.hidden = span !== "day";
		barCard.hidden = span === "day";
		content.classList.add("is-loading");
		try {
			const [show, totals] = span === "day" ? await loadDay() : await loadBars();
			if (turn !== asked) return;
			problem.hidden = true;
			content.hidden = false;
			sums.replaceChildren(...tiles(totals));
			await show();
		} catch (error) {
			if (turn !== asked) return;
			problem.hidden = false;
			content.hidden = true;
			say(problem, wordsFor(error));
		} finally {
			if (turn === asked) content.classList.remove("is-loading");
		}
	}

	async function loadDay() {
		const day = await get("day", { date });
		return [() => (reasons.show(day), chart.show(day)), day.sums];
	}

	async function loadBars() {
		const by = span === "month" ? "day" : "month";
		const slots = slotsOf(span, date);
		const { rows } = await get("energy", { by, start: slots[0], end: slots[slots.length - 1] });
		const sum = (key) => (rows.some((row) => row[key] !== null) ? rows.reduce((all, row) => all + (row[key] ?? 0), 0) : null);
		const keys = ["pv_kwh", "import_kwh", "export_kwh", "charger_kwh", "battery_in_kwh", "battery_out_kwh"];
		return [() => bars.show(by, slots.slice(0, -1), rows), Object.fromEntries(keys.map((key) => [key, sum(key)]))];
	}

	async function loadSavings() {
		try {
			const found = await get("savings");
			saved.replaceChildren(saved.firstChild, h("div", { class: "savings-row" }, ["month", "year", "all"].map((key) => saving(key, found[key]))), h("p", { class: "help" }, t("savings.help")));
			saved.hidden = false;
		} catch {
			saved.hidden = true; // the notice above says why there is no history
		}
	}

	load();
	loadSavings();
	const renew = setInterval(() => {
		if (document.visibilityState === "visible" && span === "day" && date === siteDate(serverNow())) load();
	}, RENEW_MS);
	return {
		update() {},
		destroy() {
			clearInterval(renew);
			chart.destroy();
		},
	};
}

/** The first days of all bars, and the day after the last. */
function slotsOf(span, date) {
	const [year, month] = [Number(date.slice(0, 4)), Number(date.slice(5, 7))];
	const iso = (...parts) => new Date(Date.UTC(...parts)).toISOString().slice(0, 10);
	if (span === "year") return Array.from({ length: 13 }, (_, index) => iso(year, index, 1));
	const days = new Date(Date.UTC(year, month, 0)).getUTCDate();
	return Array.from({ length: days + 1 }, (_, index) => iso(year, month - 1, index + 1));
}

function tiles(sums) {
	const used = [sums.pv_kwh, sums.import_kwh, sums.export_kwh].some((it) => it == null)
		? null
		: sums.pv_kwh + sums.import_kwh - sums.export_kwh + (sums.battery_out_kwh ?? 0) - (sums.battery_in_kwh ?? 0);
	const own = used > 0 ? Math.max(0, 1 - sums.import_kwh / used) : null;
	const shown = [["pv", energy(sums.pv_kwh)], ["car", energy(sums.charger_kwh)], ["import", energy(sums.import_kwh)], ["export", energy(sums.export_kwh)], ["own", percent(own)]];
	const colours = { pv: "c-pv", car: "c-car", import: "c-grid", export: "c-grid-pale", own: "c-house" };
	return shown.map(([key, text]) => term(t(`sum.${key}`), text, `tile ${colours[key]}`));
}

function saving(key, it) {
	return h(
		"div",
		{ class: "saving" },
		h("h3", {}, t(`savings.${key}`)),
		h("p", { class: "saving-money" }, money(it.saved)),
		h("p", { class: "help" }, t("savings.of", { solar: energy(it.solar_kwh), all: energy(it.energy_kwh), n: number(it.sessions) })),
	);
}

/** Opens the browser's own calendar where it can be opened. */
function open(input) {
	try {
		input.showPicker();
	} catch {
		input.focus();
	}
}
