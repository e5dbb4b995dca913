/** What the owner can do: choose the mode, boost for a time, narrow the limits of the current. */

import { put } from "../api.js";
import { arrowKeys, attribute, button, h, say } from "../dom.js";
import { clockTime, countdown } from "../format.js";
import { t } from "../i18n.js";
import { icon } from "../icons.js";
import { toastError } from "../notices.js";
import { keep, recall } from "../prefs.js";
import { may, secondsUntil, store, takeState } from "../store.js";

const MODES = ["off", "surplus", "min_surplus", "boost"];
const PASSING_MS = 700; // so that passing a mode with the arrow keys does not set it
const LENGTHS = ["", "30", "60", "120", "240"]; // of a boost, in minutes
const TAPPING_MS = 900; // between two taps on a limit
const CURRENTS_A = { min_current_a: 6, max_current_a: 32 }; // of any charger

/** Sends a command; what is on its way is never shown as done. */
async function steer(path, body, onPending = () => {}) {
	onPending(true);
	try {
		takeState(await put(path, body));
	} catch (error) {
		toastError(error);
	} finally {
		onPending(false);
	}
}

/** @param {() => Promise<void>} startBoost boost has a length of its own */
export function modes(startBoost) {
	let wanted = null;
	let timer = 0;
	const buttons = MODES.map((mode) =>
		button("mode", () => choose(mode, 0), { role: "radio", "data-mode": mode, test: `mode-${mode}`, "aria-describedby": "mode-help" },
			icon(mode),
			h("span", {}, t(`mode.${mode}`)),
		));
	const group = h("div", { class: "modes", role: "radiogroup", "aria-labelledby": "mode-title", test: "modes" }, buttons);
	const help = h("p", { class: "help mode-help", id: "mode-help" }, "\u00a0");
	const element = h("section", { class: "mode-card" }, h("h2", { id: "mode-title" }, t("mode.title")), group, help);

	function choose(mode, delay) {
		clearTimeout(timer);
		wanted = mode;
		update();
		timer = setTimeout(send, delay);
	}

	async function send() {
		const mode = wanted;
		if (mode !== store.state?.values.mode) await (mode === "boost" ? startBoost() : steer("mode", { mode }));
		if (wanted === mode) wanted = null;
		update();
	}

	function update() {
		const mode = store.state?.values.mode ?? null;
		const shown = wanted ?? mode;
		const allowed = may("mode") && store.alive;
		buttons.forEach((it, index) => {
			const checked = it.dataset.mode === shown;
			attribute(it, "aria-checked", String(checked));
			it.disabled = !allowed || (it.dataset.mode === "boost" && !may("boost"));
			it.tabIndex = checked || (shown === null && index === 0) ? 0 : -1;
			it.classList.toggle("is-pending", checked && shown !== mode);
		});
		say(help, shown ? t(`mode.${shown}.help`) : "\u00a0");
	}

	arrowKeys(group, "[role=radio]", (it) => choose(it.dataset.mode, PASSING_MS));
	return { element, update };
}

export function boost() {
	let pending = false;
	const length = h(
		"select",
		{ id: "boost-length", class: "input", test: "boost-length", on: { change: () => keep("boost", length.value) } },
		LENGTHS.map((minutes) => h("option", { value: minutes, selected: minutes === recall("boost") }, t(`boost.for.${minutes || "ever"}`))),
	);
	const label = h("span", {});
	const action = button("button boost-button", () => toggle(), { test: "boost-button" }, icon("boost"), label);
	const remaining = h("strong", { class: "boost-left", test: "boost-left" });
	const until = h("span", { class: "small-label" });
	const choice = h("div", { class: "field" }, h("label", { for: "boost-length" }, t("boost.length")), length);
	const running = h("div", { class: "field boost-running" }, until, remaining);
	const element = h("section", { class: "boost", "aria-label": t("boost.title") }, h("div", { class: "boost-slot" }, choice, running), action);

	const isOn = () => store.state?.values.mode === "boost";
	const start = () => send({ on: true, minutes: length.value ? Number(length.value) : null });
	const toggle = () => pending || (isOn() ? send({ on: false }) : start());

	function send(body) {
		return steer("boost", body, (on) => {
			pending = on;
			update();
		});
	}

	function update() {
		const on = isOn();
		element.classList.toggle("is-on", on);
		choice.hidden = on;
		running.hidden = !on;
		action.disabled = !may("boost") || !store.alive;
		action.classList.toggle("is-pending", pending);
		attribute(action, "aria-busy", String(pending));
		say(label, t(pending ? "pending" : on ? "boost.stop" : "boost.start"));
		tick();
	}

	function tick() {
		if (!isOn()) return;
		const end = store.state.values.boost_until;
		say(until, end ? t("boost.until", { time: clockTime(end) }) : t("boost.running"));
		say(remaining, end ? countdown(secondsUntil(end)) : t("boost.endless"));
	}

	return { element, update, start, tick };
}

/** The user's own limits of the current, in whole amperes on each phase. */
export function limits() {
	const wanted = {};
	let timer = 0;
	const steppers = Object.keys(CURRENTS_A).map(stepper);
	const element = h("section", { class: "limits", "aria-labelledby": "limits-title" },
		h("h2", { id: "limits-title" }, t("limits.title")),
		h("div", { class: "limits-row" }, steppers.map((it) => it.element)),
	);

	const value = (key) => wanted[key] ?? store.state?.values[key] ?? null;

	function stepper(key) {
		const shown = h("output", { class: "stepper-value", test: key, "aria-live": "off" }, "–");
		const tap = (step, name) => button("icon-button", () => move(key, step), { "aria-label": t(`limits.${key}.${name}`), test: `${key}-${name}` }, icon(name));
		const [less, more] = [tap(-1, "less"), tap(1, "more")];
		const box = h("div", { class: "stepper-box" }, less, shown, more);
		return { key, shown, less, more, element: h("div", { class: "stepper", role: "group", "aria-label": t(`limits.${key}`) }, h("span", { class: "small-label" }, t(`limits.${key}`)), box) };
	}

	function move(key, step) {
		wanted[key] = value(key) + step;
		clearTimeout(timer);
		timer = setTimeout(send, TAPPING_MS);
		update();
	}

	/** From what the configuration allows up to the other limit, or the other way round. */
	function range(key) {
		const [least, most] = Object.keys(CURRENTS_A).map((it) => store.state?.limits?.[it] ?? CURRENTS_A[it]);
		return key === "min_current_a" ? [least, value("max_current_a") ?? most] : [value("min_current_a") ?? least, most];
	}

	async function send() {
		const body = { ...wanted };
		await steer("limits", body);
		for (const key of Object.keys(body)) if (wanted[key] === body[key]) delete wanted[key];
		update();
	}

	function update() {
		for (const { key, shown, less, more } of steppers) {
			const now = value(key);
			const [low, high] = range(key);
			say(shown, now === null ? "–" : `${now} A`);
			shown.classList.toggle("is-pending", key in wanted);
			const allowed = may("limits") && store.alive && now !== null;
			less.disabled = !allowed || now <= low;
			more.disabled = !allowed || now >= high;
		}
	}

	return { element, update };
}
