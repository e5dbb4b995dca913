/** Short messages at the edge of the page, read out by screen readers; and questions before what cannot be taken back. */

import { Problem } from "./api.js";
import { button, h } from "./dom.js";
import { t } from "./i18n.js";
import { icon } from "./icons.js";

const SHOWN_MS = 7000;

export function toast(text, kind = "good") {
	const stack = document.getElementById("toasts");
	const close = () => item.remove();
	const item = h(
		"div",
		{ class: `toast is-${kind}`, role: kind === "bad" ? "alert" : "status", test: "toast" },
		icon(kind === "bad" ? "warn" : "ok"),
		h("p", {}, text),
		button("icon-button", close, { "aria-label": t("close") }, icon("close")),
	);
	while (stack.children.length >= 3) stack.firstChild.remove();
	stack.append(item);
	setTimeout(close, SHOWN_MS);
}

/** What a request ended with, in words. */
export function wordsFor(error) {
	if (!(error instanceof Problem)) throw error;
	if (error.status === 0) return t("error.no_answer");
	if (error.status === 401) return t("error.signed_out");
	return [...new Set(error.errors.map((it) => refusal(it.message)))].join(" ") || error.message;
}

/** What the server says of a value that it refuses; it speaks English, and names settings by their keys. */
const REFUSALS = {
	least: /^must be at least (\S+)/,
	most: /^must be at most (\S+)/,
	above: /^must be above (\S+)/,
	range: /^must be from (\S+) to (\d+)/,
	whole: /^must be a whole number/,
	number: /^must be a (?:plain|finite) number/,
	prices: /^prices must rise/,
	same_prices: /^feed_in_price equals import_price/,
};

/** The same in the language of the page, as far as it is known. */
export function refusal(message) {
	for (const [name, said] of Object.entries(REFUSALS)) {
		const found = said.exec(message);
		if (found) return t(`refused.${name}`, { a: found[1], b: found[2] });
	}
	return message.charAt(0).toUpperCase() + message.slice(1);
}

export function toastError(error) {
	toast(wordsFor(error), "bad");
}

/** @param {string} act what the button says that goes ahead */
export function confirmed(title, text, act) {
	return new Promise((resolve) => {
		const dialog = h(
			"dialog",
			{ class: "dialog", "aria-labelledby": "dialog-title" },
			h("h2", { id: "dialog-title" }, title),
			h("p", {}, text),
			h(
				"div",
				{ class: "row end" },
				h("button", { class: "button", on: { click: () => dialog.close("no") } }, t("cancel")),
				h("button", { class: "button danger", test: "confirm", on: { click: () => dialog.close("yes") } }, act),
			),
		);
		dialog.addEventListener("close", () => {
			dialog.remove();
			resolve(dialog.returnValue === "yes");
		});
		document.body.append(dialog);
		dialog.showModal();
	});
}
