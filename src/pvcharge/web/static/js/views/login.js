/** Signing in. */

import { post } from "../api.js";
import { h, say } from "../dom.js";
import { duration } from "../format.js";
import { t } from "../i18n.js";
import { wordsFor } from "../notices.js";

export function mount(root, onDone) {
	const error = h("p", { class: "field-error", id: "login-error", role: "alert", test: "login-error" });
	const input = h("input", { type: "password", id: "password", class: "input", autocomplete: "current-password", required: true, test: "password", "aria-describedby": "login-error" });
	const button = h("button", { class: "button primary", test: "login" }, t("login.act"));
	const user = h("input", { type: "text", name: "username", value: "pvcharge", autocomplete: "username", class: "sr-only", tabindex: "-1", "aria-hidden": "true", readonly: true });
	const form = h("form", { class: "card login", novalidate: true }, h("h2", {}, t("login.title")), user, h("label", { for: "password" }, t("login.password")), input, error, button);

	form.addEventListener("submit", async (event) => {
		event.preventDefault();
		if (!input.value) {
			say(error, t("login.empty"));
			input.focus();
			return;
		}
		button.disabled = true;
		say(error, "");
		try {
			await post("login", { password: input.value });
			onDone();
		} catch (problem) {
			const said = { 401: t("login.wrong"), 429: t("login.wait", { time: duration(problem.retryAfterS) }) };
			say(error, said[problem.status] ?? wordsFor(problem));
			input.select();
		} finally {
			button.disabled = false;
		}
	});

	root.append(h("div", { class: "login-view" }, form));
	input.focus({ preventScroll: true });
	return { update() {}, destroy() {} };
}
