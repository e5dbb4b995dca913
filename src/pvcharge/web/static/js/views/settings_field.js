/** One setting: what it is called, what it does, its value, and the way back to what the file says. */

import { attribute, button, h, say } from "../dom.js";
import { duration, number } from "../format.js";
import { knows, t, tAny } from "../i18n.js";
import { icon } from "../icons.js";

/** @param {object} setting as `Setting` in openapi.json */
export function settingField(setting, onChange) {
	const { key, kind, configured } = setting;
	const id = `setting-${key.replaceAll(".", "-")}`;
	const help = `setting.${key}.help`;
	const error = h("p", { class: "field-error", id: `${id}-error`, role: "alert" });
	const aside = h("span", { class: "field-aside" });
	const mark = h("span", { class: "changed" });
	const reset = button("button quiet small", back, { test: `${id}-reset` }, icon("undo"), h("span", {}, t("settings.reset", { value: valueWords(setting, configured) })));
	const { input, get, set } = controls[kind](setting, { id, "aria-describedby": `${id}-help ${id}-error`, on: { input: changed } });
	const element = h("div", { class: "setting", test: id },
		h("div", {},
			h("p", { class: "setting-name" }, h("label", { for: id }, tAny(`setting.${key}`)), mark),
			h("p", { class: "help", id: `${id}-help` }, knows(help) && t(help), setting.after_restart && ` ${t("settings.after_restart")}`),
		),
		h("div", { class: "setting-value" }, h("div", { class: "setting-input" }, input, aside), error, reset),
	);

	function changed() {
		show();
		onChange();
	}

	function back() {
		set(configured);
		changed();
		input.focus();
	}

	function show() {
		const value = get();
		const unsaved = value !== setting.value;
		reset.hidden = value === configured;
		mark.hidden = reset.hidden && !unsaved;
		mark.classList.toggle("is-unsaved", unsaved);
		say(mark, t(unsaved ? "settings.unsaved" : "settings.changed"));
		say(aside, setting.unit === "s" && value >= 100 ? `s = ${duration(value)}` : setting.unit ?? "");
	}

	set(setting.value);
	show();
	return {
		key,
		group: setting.group,
		element,
		value: get,
		isChanged: () => get() !== setting.value,
		/** What to send: null where the file's value is wanted. */
		change: () => (get() === configured ? null : get()),
		/** Keeps what was typed over a reload. */
		type(value) {
			set(value);
			show();
		},
		fail(message) {
			say(error, message);
			attribute(input, "aria-invalid", message ? "true" : null);
		},
		focus: () => input.focus(),
	};
}

const choiceWords = ({ key }, choice) => tAny(`setting.${key}.${choice}`);

function valueWords(setting, value) {
	if (value === null) return t("settings.automatic");
	if (setting.kind === "choice") return choiceWords(setting, value);
	if (setting.kind === "flag") return t(value ? "yes" : "no");
	return [number(value, Math.min(4, (String(value).split(".")[1] ?? "").length)), setting.unit].filter(Boolean).join(" ");
}

const controls = {
	choice(setting, props) {
		const input = h("select", { class: "input", ...props }, setting.choices.map((it) => h("option", { value: it }, choiceWords(setting, it))));
		return { input, get: () => input.value, set: (value) => (input.value = value) };
	},
	flag(_setting, props) {
		const input = h("input", { type: "checkbox", role: "switch", class: "switch", ...props });
		return { input, get: () => input.checked, set: (value) => (input.checked = value) };
	},
	number({ min, max, configured }, props) {
		const input = h("input", {
			type: "number", class: "input number", step: "any", inputmode: min < 0 ? "text" : "decimal",
			min, max, placeholder: configured === null ? t("settings.automatic") : "", ...props,
		});
		const get = () => (input.value.trim() === "" ? (input.validity.badInput ? NaN : null) : Number(input.value));
		return { input, get, set: (value) => (input.value = value ?? "") };
	},
};
