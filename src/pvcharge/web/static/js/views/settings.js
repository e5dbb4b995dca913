/**
 * The settings that may be changed while the daemon runs. What was typed is kept until it is saved, thrown away,
 * or refused with the reason beside it.
 */

import { get, patch, post } from "../api.js";
import { button, card, h, say } from "../dom.js";
import { t, tAny } from "../i18n.js";
import { icon } from "../icons.js";
import { refusal, toast, toastError, wordsFor } from "../notices.js";
import { settingField } from "./settings_field.js";

export function mount(root) {
	let document_ = null;
	let fields = [];
	const groups = h("div", { class: "settings-groups" });
	const notice = h("p", { class: "notice", role: "status", hidden: true });
	const count = h("span", { class: "save-count", test: "unsaved" });
	const save = h("button", { type: "submit", class: "button primary", test: "save" }, t("settings.save"));
	const drop = button("button quiet", () => show(document_), { test: "discard" }, t("settings.discard"));
	const undo = button("button quiet", () => takeBack(), { test: "undo" }, icon("undo"), t("settings.undo"));
	const bar = h("div", { class: "save-bar", hidden: true }, count, h("div", { class: "row" }, drop, save));
	const intro = h("div", { class: "toolbar" }, h("p", { class: "help" }, t("settings.intro")), undo);
	const form = h("form", { class: "settings", novalidate: true, "aria-label": t("nav.settings") }, intro, notice, groups, bar);
	form.addEventListener("submit", (event) => {
		event.preventDefault();
		send();
	});
	root.append(form);

	function show(next, typed = new Map()) {
		document_ = next;
		fields = next.settings.map((setting) => settingField(setting, edited));
		for (const field of fields) if (typed.has(field.key)) field.type(typed.get(field.key));
		const names = [...new Set(next.settings.map((it) => it.group))];
		groups.replaceChildren(...names.map((group) => card(`group-${group}`, tAny(`settings.group.${group}`), fields.filter((it) => it.group === group).map((it) => it.element))));
		undo.disabled = !next.can_undo;
		notice.hidden = next.kept;
		say(notice, t("settings.not_kept"));
		changed();
	}

	/** What was wrong may be right now: settings are judged beside each other. */
	function edited() {
		for (const field of fields) field.fail("");
		changed();
	}

	function changed() {
		const touched = fields.filter((it) => it.isChanged());
		bar.hidden = touched.length === 0;
		say(count, t(touched.length === 1 ? "settings.one_change" : "settings.changes", { n: touched.length }));
	}

	async function load(typed) {
		try {
			show(await get("settings"), typed);
		} catch (error) {
			notice.hidden = false;
			undo.hidden = true;
			say(notice, wordsFor(error));
		}
	}

	async function send() {
		const touched = fields.filter((it) => it.isChanged());
		const unreadable = touched.filter((it) => Number.isNaN(it.value()));
		for (const field of unreadable) field.fail(t("settings.no_number"));
		if (unreadable.length) {
			unreadable[0].focus();
			return;
		}
		save.disabled = true;
		try {
			show(await patch("settings", { revision: document_.revision, changes: Object.fromEntries(touched.map((it) => [it.key, it.change()])) }));
			toast(t("settings.saved"));
		} catch (error) {
			refused(error, touched);
		} finally {
			save.disabled = false;
		}
	}

	function refused(error, touched) {
		if (error.status === 409) {
			toast(t("settings.conflict"), "bad");
			load(new Map(touched.map((it) => [it.key, it.value()])));
			return;
		}
		const wrong = new Map((error.errors ?? []).map((it) => [it.key.replace(/^changes\./, ""), it.message]));
		const told = fields.filter((it) => wrong.has(it.key));
		for (const field of told) field.fail(refusal(wrong.get(field.key)));
		if (told.length) (told.find((it) => it.isChanged()) ?? told[0]).focus();
		else toastError(error);
	}

	async function takeBack() {
		undo.disabled = true;
		try {
			show(await post("settings/undo"));
			toast(t("settings.undone"));
		} catch (error) {
			toastError(error);
			load();
		}
	}

	load();
	return { update() {}, destroy() {} };
}
