/**
 * The picture of the energy flow: everything meets in the middle, as it does in the distribution board, so no
 * watt has to be told apart that nobody can tell apart. Dashes move with the power, and the ring in the middle
 * shows where the power comes from.
 */

import { attribute, say, svg } from "./dom.js";
import { kw, number, percent, power } from "./format.js";
import { t } from "./i18n.js";
import { iconAt } from "./icons.js";

const still = matchMedia("(prefers-reduced-motion: reduce)"); // arrows then tell the direction
const IDLE_W = 30;
const NODE = 43;
const HUB = 42;
const RING = 2 * Math.PI * (HUB - 4);

const CROSS = {
	hub: [180, 180],
	pv: { at: [180, 48], label: [233, 45, "start"] },
	grid: { at: [46, 180], label: [46, 244, "middle"] },
	house: { at: [314, 180], label: [314, 244, "middle"] },
	car: { at: [180, 312], label: [233, 309, "start"] },
};

const STAR = {
	hub: [180, 168],
	pv: { at: [180, 46], label: [233, 43, "start"] },
	grid: { at: [46, 134], label: [46, 198, "middle"] },
	battery: { at: [314, 134], label: [314, 198, "middle"] },
	house: { at: [84, 282], label: [84, 345, "middle"] },
	car: { at: [276, 282], label: [276, 345, "middle"] },
};

export function flowPicture() {
	const field = svg("g");
	const element = svg("svg", { class: "flow", viewBox: "0 0 360 368", role: "img", test: "flow", "aria-label": t("flow.title") }, field);
	let parts = null;
	let star = null;
	return {
		element,
		update(flow) {
			if (star !== flow.hasBattery) {
				star = flow.hasBattery;
				field.replaceChildren();
				parts = draw(field, star ? STAR : CROSS);
			}
			show(parts, flow);
			attribute(element, "aria-label", summary(flow));
		},
	};
}

function draw(field, plan) {
	const names = Object.keys(plan).filter((name) => name !== "hub");
	const lines = Object.fromEntries(names.map((name) => [name, flowLine(name, plan[name].at, plan.hub)]));
	const nodes = Object.fromEntries(names.map((name) => [name, node(name, plan[name])]));
	const hub = middle(plan.hub);
	field.append(...names.map((name) => lines[name].element), hub.element, ...names.map((name) => nodes[name].element));
	return { lines, nodes, hub };
}

/** A line from a node to the middle; power > 0 flows towards the middle. */
function flowLine(name, [x, y], [hx, hy]) {
	const length = Math.hypot(hx - x, hy - y);
	const [ux, uy] = [(hx - x) / length, (hy - y) / length];
	const [sx, sy, ex, ey] = [x + ux * NODE, y + uy * NODE, hx - ux * HUB, hy - uy * HUB];
	const d = `M${sx} ${sy}L${ex} ${ey}`;
	const moving = svg("path", { d, class: "flow-dash" });
	const [mx, my] = [(sx + ex) / 2, (sy + ey) / 2];
	const turn = (Math.atan2(uy, ux) * 180) / Math.PI;
	const arrow = svg("path", { d: "M-4 -6.5 5 0-4 6.5", class: "flow-arrow" });
	const element = svg("g", { class: `flow-line c-${name}` }, svg("path", { d, class: "flow-track" }), moving, arrow);
	let run = null;
	let sign = 0;
	return {
		element,
		show(watts) {
			const now = Math.abs(watts ?? 0) < IDLE_W ? 0 : Math.sign(watts);
			element.classList.toggle("is-idle", now === 0);
			element.style.setProperty("--wide", String(2.5 + Math.min(3.5, Math.abs(watts ?? 0) / 2500)));
			if (now !== sign) {
				run?.cancel();
				run = now && !still.matches ? moving.animate({ strokeDashoffset: [0, -56 * now] }, { duration: 4000, iterations: Infinity }) : null;
				attribute(arrow, "transform", `translate(${mx} ${my}) rotate(${now < 0 ? turn + 180 : turn})`);
			}
			sign = now;
			run?.updatePlaybackRate(0.6 + Math.min(8000, Math.abs(watts ?? 0)) / 1400);
		},
	};
}

function node(name, { at: [x, y], label: [lx, ly, anchor] }) {
	const value = svg("text", { x, y: y + 19, class: "flow-value", "text-anchor": "middle" }, "–");
	const note = svg("text", { x: lx, y: ly + 17, class: "flow-note", "text-anchor": anchor });
	const label = svg("text", { x: lx, y: ly, class: "flow-label", "text-anchor": anchor }, t(`flow.${name}`));
	const fill = svg("circle", { cx: x, cy: y, r: NODE - 1.5, class: "flow-node" });
	const element = svg("g", { class: `flow-point c-${name}`, test: `flow-${name}` }, fill, iconAt(name, x, y - 15, 25), value, label, note);
	return {
		show(watts, words) {
			const idle = watts === null || Math.abs(watts) < IDLE_W;
			element.classList.toggle("is-idle", idle);
			say(value, watts === null ? "–" : power(Math.abs(watts)));
			say(note, words);
		},
		element,
	};
}

/** The ring: shares of sun, battery and grid in what comes in. */
function middle([x, y]) {
	const arc = (name) =>
		svg("circle", { cx: x, cy: y, r: HUB - 4, class: `flow-arc c-${name}`, transform: `rotate(-90 ${x} ${y})`, "stroke-dasharray": `0 ${RING}` });
	const arcs = { pv: arc("pv"), battery: arc("battery"), grid: arc("grid") };
	const value = svg("text", { x, y: y + 4, class: "flow-share", "text-anchor": "middle" }, "–");
	const label = svg("text", { x, y: y + 18, class: "flow-share-label", "text-anchor": "middle" }, t("flow.own"));
	const ground = svg("circle", { cx: x, cy: y, r: HUB - 4, class: "flow-hub" });
	return {
		element: svg("g", {}, ground, arcs.pv, arcs.battery, arcs.grid, value, label),
		show(flow) {
			const comes = {
				pv: Math.max(0, flow.pv ?? 0),
				battery: Math.max(0, -(flow.battery ?? 0)),
				grid: Math.max(0, flow.grid ?? 0),
			};
			const whole = flow.pv !== null && flow.grid !== null; // a part alone would look like all of it
			const sum = whole ? comes.pv + comes.battery + comes.grid : 0;
			let from = 0;
			for (const [name, element] of Object.entries(arcs)) {
				const long = sum > IDLE_W ? (RING * comes[name]) / sum : 0;
				attribute(element, "stroke-dasharray", `${long.toFixed(1)} ${RING}`);
				attribute(element, "stroke-dashoffset", (-from).toFixed(1));
				element.classList.toggle("is-none", long < 0.5);
				from += long;
			}
			say(value, flow.ownShare === null ? "–" : percent(flow.ownShare));
		},
	};
}

function show({ lines, nodes, hub }, flow) {
	lines.pv.show(flow.pv);
	lines.grid.show(flow.grid);
	lines.house.show(-(flow.house ?? 0));
	lines.car.show(-(flow.car ?? 0));
	lines.battery?.show(-(flow.battery ?? 0));
	nodes.pv.show(flow.pv, flow.old && flow.pv !== null ? t("flow.mean") : "");
	nodes.grid.show(flow.grid, direction(flow.grid, "flow.import", "flow.export"));
	nodes.house.show(flow.house, flow.houseHasCar ? t("flow.with_car") : "");
	nodes.car.show(flow.car, flow.carState ? t(`charger.short.${flow.carState}`) : "");
	const soc = flow.soc === null ? "" : `${number(flow.soc)} %`;
	nodes.battery?.show(flow.battery, [soc, direction(flow.battery, "flow.filling", "flow.emptying")].filter(Boolean).join(" · "));
	hub.show(flow);
}

function direction(watts, positive, negative) {
	if (watts === null || Math.abs(watts) < IDLE_W) return "";
	return t(watts > 0 ? positive : negative);
}

function summary(flow) {
	const told = [
		["flow.pv", flow.pv],
		["flow.house", flow.house],
		[(flow.grid ?? 0) < 0 ? "flow.export" : "flow.import", flow.grid],
		["flow.battery", flow.battery],
		["flow.car", flow.car],
	].filter(([, watts]) => watts !== null);
	const parts = told.map(([key, watts]) => `${t(key)} ${kw(Math.abs(watts))} kW`);
	return `${t("flow.title")}: ${parts.join(", ")}`;
}
