/** Tokens for programs: made here, shown once, deleted here. */

import { get, post, remove } from "../api.js";
import { button, card, h, say } from "../dom.js";
import { dateTime } from "../format.js";
import { t } from "../i18n.js";
import { icon } from "../icons.js";
import { confirmed, toast, toastError, wordsFor } from "../notices.js";

export function tokensCard() {
	const list = h("ul", { class: "tokens", test: "tokens" });
	const notice = h("p", { class: "quiet", hidden: true });
	const secret = h("code", { class: "secret", test: "token-secret" });
	const copy = button("button quiet", () => copyOut(), {}, t("tokens.copy"));
	const once = h("div", { class: "notice good", role: "status", hidden: true }, h("p", {}, t("tokens.once")), h("div", { class: "row" }, secret, copy));
	const input = h("input", { id: "token-name", class: "input", maxlength: "60", autocomplete: "off", required: true, test: "token-name" });
	const form = h("form", { class: "row token-form" }, h("div", { class: "field" }, h("label", { for: "token-name" }, t("tokens.name")), input), h("button", { class: "button", test: "token-make" }, icon("key"), t("tokens.make")));
	const element = card("tokens", t("tokens.title"), h("p", { class: "help" }, t("tokens.help")), notice, list, once, form);

	async function load() {
		try {
			const { tokens } = await get("tokens");
			list.replaceChildren(...tokens.map((it) => row(it)));
			notice.hidden = tokens.length > 0;
			say(notice, t("tokens.none"));
		} catch (error) {
			notice.hidden = false;
			say(notice, wordsFor(error));
		}
	}

	function row(token) {
		const drop = button("icon-button", () => ask(token), { "aria-label": t("tokens.delete_named", { name: token.name }) }, icon("trash"));
		return h("li", { class: "token" }, h("span", { class: "token-name" }, token.name), h("span", { class: "quiet" }, t("tokens.made_at", { time: dateTime(token.created_at) })), drop);
	}

	async function ask(token) {
		if (!(await confirmed(t("tokens.delete.title"), t("tokens.delete.text", { name: token.name }), t("tokens.delete")))) return;
		try {
			await remove(`tokens/${encodeURIComponent(token.id)}`);
		} catch (error) {
			toastError(error);
		}
		load();
	}

	async function copyOut() {
		try {
			await navigator.clipboard.writeText(secret.textContent);
			toast(t("tokens.copied"));
		} catch {
			getSelection()?.selectAllChildren(secret); // no clipboard without TLS
		}
	}

	form.addEventListener("submit", async (event) => {
		event.preventDefault();
		try {
			const made = await post("tokens", { name: input.value.trim() });
			say(secret, made.token);
			once.hidden = false;
			input.value = "";
		} catch (error) {
			toastError(error);
		}
		load();
	});

	return { element, loaded: load() };
}
