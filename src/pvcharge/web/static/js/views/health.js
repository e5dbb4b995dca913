/** How everything is doing: devices and what to do about them, what was learned, the log, access, the version. */

import { address } from "../api.js";
import { card, h, term } from "../dom.js";
import { t } from "../i18n.js";
import { icon } from "../icons.js";
import { isOwner, store } from "../store.js";
import { deviceList } from "./devices.js";
import { learnedCard } from "./learned.js";
import { logCard } from "./log.js";
import { tokensCard } from "./tokens.js";

export function mount(root) {
	const devices = deviceList();
	const rest = h("div", { class: "health", hidden: true });
	root.append(h("div", { class: "health" }, devices.element, rest));

	/** What stands below others comes when those have all that they wait for, so that nothing jumps. */
	async function fill(state) {
		const owner = isOwner();
		const cards = [
			owner && state.can.includes("learned") && learnedCard(),
			owner && logCard(),
			owner && store.access.password_set && tokensCard(),
		].filter(Boolean);
		rest.append(about(state, owner), ...cards.map((it) => it.element));
		await Promise.all(cards.map((it) => it.loaded));
		rest.hidden = false;
	}

	return {
		update() {
			devices.update();
			if (store.state && !rest.firstChild) fill(store.state);
		},
		destroy() {},
	};
}

function about({ version, role, timezone }, owner) {
	return card("about", t("about.title"),
		h("dl", { class: "facts" }, term(t("about.version"), h("dd", { test: "version" }, version)), term(t("about.role"), t(`role.${role}`)), term(t("about.zone"), timezone)),
		owner && h("p", { class: "help" }, t("support.help")),
		owner && h("a", { class: "button", href: address("support"), download: "", test: "support" }, icon("download"), t("support.get")),
	);
}
