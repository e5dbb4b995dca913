/**
 * A day as a chart: what the roof gives, what house and car take (one upon the other), grid, battery, and what
 * the charger was told. Values under the pointer go into a row of their own, so that nothing covers the curves.
 */

import { button, h, say, swatch } from "../dom.js";
import { clockTime, kw, number, siteZone } from "../format.js";
import { t } from "../i18n.js";
import { onTheme } from "../prefs.js";

const SERIES = ["pv", "house", "car", "grid", "battery", "setpoint"];
const COLUMN = { pv: "pv_w", house: "house_w", car: "charger_w", grid: "grid_w", battery: "battery_w", setpoint: "setpoint_w" };
const HEIGHT = 300;
const LEFT = 44; // room for the numbers, which the time line below keeps too
const RIGHT = 10;

const hidden = new Set(); // stays over days

/** @param {(seconds: number|null) => void} onTime the time under the pointer */
export function dayChart(onTime) {
	const plotBox = h("div", { class: "plot", role: "img", "aria-label": t("day.chart") });
	const readout = h("ul", { class: "readout" });
	const when = h("p", { class: "readout-time", test: "readout-time" }, t("day.mean"));
	const filledNote = h("p", { class: "quiet filled-note", hidden: true }, swatch("filled"), t("day.filled"));
	const element = h("div", { class: "day-chart" }, h("div", { class: "readout-row" }, when, readout), plotBox, filledNote);
	let plot = null;
	let day = null;
	let entries = {};

	/** Those of which something is known; what is 0 all day long is not there, or not measured. */
	const names = () => SERIES.filter((name) => day[COLUMN[name]].some((value) => value !== null && value !== 0));

	async function show(next) {
		day = next;
		const Plot = await loadUplot();
		if (day !== next) return;
		draw(Plot);
	}

	function draw(Plot) {
		plot?.destroy();
		const shown = names();
		entries = Object.fromEntries(shown.map((name) => [name, legendEntry(name)]));
		readout.replaceChildren(...shown.map((name) => entries[name].element));
		plot = new Plot(options(Plot), columns(), plotBox);
		filledNote.hidden = !day.filled.includes(true);
		tell(null);
	}

	function legendEntry(name) {
		const value = h("span", { class: "readout-value" }, "–");
		const toggler = button(`legend c-${name}`, () => toggle(name), { "aria-pressed": String(!hidden.has(name)), test: `series-${name}` },
			swatch(""),
			h("span", {}, t(`series.${name}`)),
			value,
		);
		return { element: h("li", {}, toggler), value, toggler };
	}

	function toggle(name) {
		if (hidden.has(name)) hidden.delete(name);
		else hidden.add(name);
		entries[name].toggler.setAttribute("aria-pressed", String(!hidden.has(name)));
		loadUplot().then(draw);
	}

	/** The car, and what was wanted for it, stand upon the house unless that is hidden. */
	function columns() {
		const house = hidden.has("house") ? day.house_w.map(() => 0) : day.house_w;
		const onHouse = (column) => column.map((it, i) => (it === null ? null : (house[i] ?? 0) + it));
		const data = { ...day, charger_w: onHouse(day.charger_w), setpoint_w: onHouse(day.setpoint_w) };
		return [day.at, ...SERIES.map((name) => data[COLUMN[name]])];
	}

	function options(Plot) {
		const line = (name, more) => ({ show: !hidden.has(name), stroke: colour(name), width: 1.75, points: { show: false }, ...more });
		const stepped = Plot.paths.stepped({ align: 1 });
		return {
			width: plotBox.clientWidth || 600,
			height: HEIGHT,
			padding: [10, RIGHT, 0, 0],
			tzDate: (seconds) => Plot.tzDate(new Date(seconds * 1000), siteZone()),
			legend: { show: false },
			cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
			scales: { x: { range: () => [day.start, day.end] }, y: { range: (_plot, low, high) => [Math.min(0, (low ?? 0) * 1.1), Math.max(1000, (high ?? 0) * 1.06)] } },
			axes: [timeAxis(day.end), powerAxis()],
			series: [
				{},
				line("pv", { fill: tint("pv", 0.2), width: 2.25 }),
				line("house", { fill: tint("house", 0.3), width: 1 }),
				line("car", { fill: hidden.has("house") ? tint("car", 0.4) : undefined, width: 1.25 }),
				line("grid", {}),
				line("battery", {}),
				line("setpoint", { stroke: colour("ink"), paths: stepped, dash: [4, 4], width: 1.25 }),
			],
			bands: hidden.has("house") || hidden.has("car") ? [] : [{ series: [3, 2], fill: tint("car", 0.4) }],
			hooks: { setCursor: [(it) => tell(it.cursor.idx)], drawClear: [drawFilled], draw: [drawNow] },
		};
	}

	function tell(index) {
		const at = index == null ? null : day.at[index];
		say(when, at === null ? t("day.hint") : `${clockTime(at * 1000)} – ${clockTime((at + day.step_s) * 1000)}`);
		for (const [name, entry] of Object.entries(entries)) {
			const value = at === null ? null : day[COLUMN[name]][index];
			say(entry.value, value === null ? "" : `${kw(value)}`);
		}
		onTime(at);
	}

	/** Shades what was filled in afterwards. */
	function drawFilled(it) {
		const { ctx, bbox } = it;
		ctx.fillStyle = tint("house", 0.13);
		for (const [from, to] of runs(day)) {
			const x = it.valToPos(from, "x", true);
			ctx.fillRect(x, bbox.top, it.valToPos(to, "x", true) - x, bbox.height);
		}
	}

	function drawNow(it) {
		const { ctx, bbox } = it;
		ctx.save();
		ctx.lineWidth = devicePixelRatio;
		ctx.strokeStyle = colour("line-strong");
		const zero = Math.round(it.valToPos(0, "y", true)) + 0.5;
		stroke(ctx, bbox.left, zero, bbox.left + bbox.width, zero);
		if (day.now !== null) {
			ctx.strokeStyle = colour("ink-2");
			ctx.setLineDash([2 * devicePixelRatio, 3 * devicePixelRatio]);
			const x = it.valToPos(day.now, "x", true);
			stroke(ctx, x, bbox.top, x, bbox.top + bbox.height);
		}
		ctx.restore();
	}

	const observer = new ResizeObserver(() => plot && plotBox.clientWidth && plot.setSize({ width: plotBox.clientWidth, height: HEIGHT }));
	observer.observe(plotBox);
	const unlisten = onTheme(() => plot && loadUplot().then(draw));
	return {
		element,
		show,
		destroy() {
			observer.disconnect();
			unlisten();
			plot?.destroy();
		},
	};
}

/** The spans that were filled in afterwards. */
function runs(day) {
	const found = [];
	day.at.forEach((at, i) => {
		if (!day.filled[i]) return;
		if (day.filled[i - 1]) found[found.length - 1][1] = at + day.step_s;
		else found.push([at, at + day.step_s]);
	});
	return found;
}

function stroke(ctx, x1, y1, x2, y2) {
	ctx.beginPath();
	ctx.moveTo(x1, y1);
	ctx.lineTo(x2, y2);
	ctx.stroke();
}

const font = () => `12px ${getComputedStyle(document.body).fontFamily}`;

function timeAxis(end) {
	return {
		stroke: colour("ink-2"),
		font: font(),
		size: 30,
		grid: { show: false },
		ticks: { show: false },
		space: 56,
		incrs: [3600, 7200, 10800, 14400, 21600],
		values: (_plot, splits) => splits.map((at) => (at >= end ? "" : clockTime(at * 1000))),
	};
}

function powerAxis() {
	return {
		stroke: colour("ink-2"),
		font: font(),
		size: LEFT,
		gap: 6,
		grid: { stroke: colour("line"), width: 1 },
		ticks: { show: false },
		space: 30,
		incrs: [500, 1000, 2000, 5000, 10_000],
		values: (_plot, splits) => splits.map((watts, i) => number(watts / 1000, watts % 1000 ? 1 : 0) + (i === splits.length - 1 ? " kW" : "")),
	};
}

let loading = null;

/** Fetches the charting library when a chart is first shown. */
function loadUplot() {
	loading ??= new Promise((resolve, reject) => {
		const script = document.createElement("script");
		script.src = new URL("../../vendor/uplot/uPlot.iife.min.js", import.meta.url).href;
		script.addEventListener("load", () => resolve(globalThis.uPlot));
		script.addEventListener("error", () => {
			loading = null;
			reject(new Error("uPlot"));
		});
		document.head.append(script);
	});
	return loading;
}

/** @param {string} name of a custom property, without dashes */
function colour(name) {
	return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** @param {number} share opacity, 0..1 */
function tint(name, share) {
	const hex = colour(name);
	return `${hex}${Math.round(share * 255).toString(16).padStart(2, "0")}`;
}
