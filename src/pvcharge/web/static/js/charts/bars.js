/**
 * Days of a month, or months of a year: up, what was used, from the roof and from the grid; down, what was sold;
 * and within, what went into the car.
 */

import { arrowKeys, asTable, h, say, svg, swatch } from "../dom.js";
import { calendar, energy, number } from "../format.js";
import { t } from "../i18n.js";

const HIGH = 310;
const PAD = { top: 12, bottom: 24, left: 40, right: 6 };
const PARTS = ["own", "import", "car", "export"];
const COLOUR = { own: "pv", import: "grid", car: "car", export: "grid-pale" };

export function energyBars() {
	const told = h("p", { class: "bars-told", test: "bars-told" });
	const box = h("div", { class: "bars-box" });
	const rows = h("tbody");
	const columns = ["date", "pv", "import", "export", "car"].map((key) => t(`bars.col.${key}`));
	const legend = h("ul", { class: "legend-list" }, PARTS.map((part) =>
		h("li", {}, swatch(`c-${COLOUR[part]}`), h("span", {}, t(`bars.${part}`)))));
	const element = h("div", { class: "bars" }, told, box, legend, asTable(t("as_table"), t("bars.title"), columns, rows));

	let shown = null;
	let wide = 0;

	function show(by, slots, found) {
		shown = [by, slots, found];
		wide = box.clientWidth || 640;
		const known = new Map(found.map((row) => [row.start, row]));
		const bars = slots.map((start) => partsOf(start, known.get(start)));
		say(told, t("bars.hint"));
		box.replaceChildren(picture(by, bars, wide, (bar) => say(told, words(by, bar))));
		rows.replaceChildren(...found.map((row) => h("tr", {}, h("th", { scope: "row" }, name(by, row.start)), [row.pv_kwh, row.import_kwh, row.export_kwh, row.charger_kwh].map((it) => h("td", { class: "num" }, number(it, 1))))));
	}

	new ResizeObserver(() => shown && box.clientWidth && box.clientWidth !== wide && show(...shown)).observe(box);
	return { element, show };
}

function partsOf(start, row) {
	if (!row) return { start, known: false, own: 0, import: 0, export: 0, car: 0 };
	const sold = row.export_kwh ?? 0;
	return { start, known: true, row, own: Math.max(0, (row.pv_kwh ?? 0) - sold), import: row.import_kwh ?? 0, export: sold, car: row.charger_kwh ?? 0, doubtful: (row.covered ?? 1) < 0.9 };
}

function name(by, start) {
	return calendar(start, by === "day" ? { weekday: "short", day: "numeric", month: "short" } : { month: "long", year: "numeric" });
}

function words(by, bar) {
	if (!bar.known) return `${name(by, bar.start)}: ${t("bars.nothing")}`;
	const parts = PARTS.map((part) => `${t(`bars.${part}`)} ${energy(bar[part])}`);
	if (bar.doubtful) parts.push(t("bars.covered", { share: number(100 * bar.row.covered) }));
	return `${name(by, bar.start)}: ${parts.join(" · ")}`;
}

function picture(by, bars, wide, onBar) {
	const up = nice(Math.max(1, ...bars.map((bar) => Math.max(bar.own + bar.import, bar.car))));
	const down = Math.max(0, ...bars.map((bar) => bar.export));
	const high = HIGH - PAD.top - PAD.bottom;
	const scale = high / (up.top + down);
	const y = (kwh) => PAD.top + (up.top - kwh) * scale;
	const slot = (wide - PAD.left - PAD.right) / bars.length;
	const root = svg("svg", { viewBox: `0 0 ${wide} ${HIGH}`, class: "bars-picture", role: "group", "aria-label": t("bars.title") });
	for (let kwh = -Math.floor(down / up.step) * up.step; kwh <= up.top; kwh += up.step) {
		root.append(svg("line", { x1: PAD.left, x2: wide - PAD.right, y1: y(kwh), y2: y(kwh), class: kwh ? "bars-grid" : "bars-zero" }));
		root.append(svg("text", { x: PAD.left - 8, y: y(kwh) + 4, class: "bars-text", "text-anchor": "end" }, number(Math.abs(kwh))));
	}
	bars.forEach((bar, index) => root.append(column(by, bar, index, bars.length, PAD.left + index * slot, slot, y, onBar)));
	arrowKeys(root, ".bars-slot", () => {});
	return root;
}

function column(by, bar, index, count, x, slot, y, onBar) {
	const wide = Math.min(slot * 0.68, 36);
	const left = x + (slot - wide) / 2;
	const rect = (kind, from, to, inset = 0) => svg("rect", { x: left + inset, width: wide - 2 * inset, y: y(to), height: Math.max(0, y(from) - y(to)), class: `bars-part c-${kind}`, rx: 1.5 });
	const group = svg(
		"g",
		{
			class: "bars-slot", role: "img", tabindex: index ? "-1" : "0", "aria-label": words(by, bar),
			on: { pointerenter: () => onBar(bar), focus: () => onBar(bar), click: () => onBar(bar) },
		},
		svg("rect", { x, y: PAD.top, width: slot, height: HIGH - PAD.top - PAD.bottom, class: "bars-hit" }),
		rect(COLOUR.own, 0, bar.own),
		rect(COLOUR.import, bar.own, bar.own + bar.import),
		rect(COLOUR.export, -bar.export, 0),
		rect(COLOUR.car, 0, bar.car, wide * 0.3),
	);
	const every = by === "month" ? 1 : count > 20 ? 5 : 1;
	const day = Number(bar.start.slice(8));
	if (by === "month" || day === 1 || day % every === 0) {
		const text = by === "month" ? calendar(bar.start, { month: "short" }).slice(0, 3) : String(day);
		group.append(svg("text", { x: x + slot / 2, y: HIGH - 6, class: "bars-text", "text-anchor": "middle" }, text));
	}
	return group;
}

/** A round end of the axis, and the step between its lines. */
function nice(most) {
	const raw = most / 3;
	const power = 10 ** Math.floor(Math.log10(raw));
	const step = [1, 2, 5, 10].map((it) => it * power).find((it) => it >= raw) ?? 10 * power;
	return { step, top: Math.ceil(most / step) * step };
}
