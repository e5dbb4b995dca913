/** The devices and services: whether they work, how old their news is, and what to do when they do not. */

import { attribute, card, h, say, term } from "../dom.js";
import { clockTime, dateTime, duration, number } from "../format.js";
import { knows, t, tAny } from "../i18n.js";
import { icon } from "../icons.js";
import { store } from "../store.js";

const ORDER = ["charger", "inverter", "link", "service"];
const SHAPES = { charger: "car", inverter: "pv", link: "link", service: "health" };

export function deviceList() {
	const list = h("ul", { class: "devices" });
	let shown = "";
	let cards = [];
	return {
		element: card("devices", t("devices.title"), list),
		update() {
			const devices = [...(store.state?.devices ?? [])].sort((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind) || a.name.localeCompare(b.name));
			const names = JSON.stringify(devices.map((it) => it.name));
			if (names !== shown) {
				cards = devices.map(deviceCard);
				list.replaceChildren(...cards.map((it) => it.element));
				shown = names;
			}
			devices.forEach((device, index) => cards[index].show(device));
		},
	};
}

function deviceCard(device) {
	const pill = h("span", { class: "pill" });
	const since = h("p", { class: "quiet device-since" });
	const error = h("p", { class: "device-error" });
	const advice = h("p", { class: "device-advice" });
	const facts = h("dl", { class: "facts small" });
	const trouble = h("div", { class: "trouble" }, error, advice);
	const element = h(
		"li",
		{ class: "device", test: `device-${device.name}` },
		h("span", { class: "device-icon" }, icon(SHAPES[device.kind] ?? "health")),
		h("div", { class: "device-body" }, h("div", { class: "device-head" }, h("h3", {}, device.name), h("span", { class: "quiet" }, t(`kind.${device.kind}`)), pill), since, trouble, facts),
	);
	return {
		element,
		show(now) {
			say(pill, t(now.ok ? "devices.ok" : "devices.bad"));
			attribute(pill, "data-state", now.ok ? "charging" : "error");
			const age = now.age_s === null ? "" : ` · ${t("devices.heard", { age: duration(now.age_s) })}`;
			say(since, t(now.ok ? "devices.since" : "devices.bad_since", { time: dateTime(now.since) }) + age);
			trouble.hidden = !now.error;
			say(error, now.error ?? "");
			say(advice, now.advice ? tAny(now.advice) : "");
			advice.hidden = !now.advice;
			showFacts(facts, now.facts ?? {});
		},
	};
}

function showFacts(list, facts) {
	const told = Object.entries(facts).filter(([key, value]) => value !== null && value !== "" && !(key === "requests_limit" && "requests_left" in facts));
	const rows = told.map(([key, value]) => [tAny(`fact.${key}`), key === "requests_left" && "requests_limit" in facts ? t("devices.of", { left: number(value), limit: number(facts.requests_limit) }) : factWords(key, value)]);
	const flat = JSON.stringify(rows);
	if (list.dataset.flat === flat) return;
	list.dataset.flat = flat;
	list.replaceChildren(...rows.map(([label, text]) => term(label, text)));
}

function factWords(key, value) {
	if (typeof value === "boolean") return t(value ? "yes" : "no");
	if (typeof value === "number") return key.endsWith("_s") ? (Math.abs(value) < 100 ? `${number(value, 1)} s` : duration(value)) : number(value, Number.isInteger(value) ? 0 : 2);
	if (/^\d{4}-\d\d-\d\dT/.test(value)) return key.endsWith("_at") ? clockTime(value) : dateTime(value);
	const word = `fact.${key}.${value}`;
	return knows(word) ? t(word) : value;
}
