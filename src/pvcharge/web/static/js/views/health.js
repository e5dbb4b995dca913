/** How everything is doing: devices and what to do about them, what was learned, the log, access, the version. */

import { address } from "../api.js";
import { card, h, say, term } from "../dom.js";
import { t } from "../i18n.js";
import { icon } from "../icons.js";
import { isOwner, store } from "../store.js";
import { deviceList } from "./devices.js";
import { learnedCard } from "./learned.js";
import { logCard } from "./log.js";
import { tokensCard } from "./tokens.js";

export function mount(root) {
	const devices = deviceList();
	const version = h("dd", { test: "version" }, "–");
	const role = h("dd", {}, "–");
	const zone = h("dd", {}, "–");
	const owner = isOwner();
	const learned = owner && store.state?.can.includes("learned") ? learnedCard() : null;
	const about = card(
		"about",
		t("about.title"),
		h("dl", { class: "facts" }, term(t("about.version"), version), term(t("about.role"), role), term(t("about.zone"), zone)),
		owner && h("p", { class: "help" }, t("support.help")),
		owner && h("a", { class: "button", href: address("support"), download: "", test: "support" }, icon("download"), t("support.get")),
	);
	root.append(
		h("div", { class: "health" }, devices.element, about, learned?.element, owner && logCard().element, owner && store.access?.password_set && tokensCard().element),
	);
	return {
		update() {
			devices.update();
			const state = store.state;
			if (!state) return;
			say(version, state.version);
			say(role, t(`role.${state.role}`));
			say(zone, state.timezone);
		},
		destroy() {},
	};
}
