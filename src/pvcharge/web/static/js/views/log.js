/** The last events of the daemon's log. */

import { get } from "../api.js";
import { button, cardWith, h, say } from "../dom.js";
import { clockSeconds, dateTime } from "../format.js";
import { t } from "../i18n.js";
import { wordsFor } from "../notices.js";

const FEW = 15;
const MANY = 200;

export function logCard() {
	const list = h("ol", { class: "log", test: "log" });
	const notice = h("p", { class: "quiet", hidden: true });
	const renew = button("button quiet", () => load(), {}, t("log.renew"));
	const more = button("button quiet", () => load(MANY), {}, t("log.more"));
	const element = cardWith(renew, "events", t("log.title"), notice, list, more);
	let shown = FEW;

	async function load(count = shown) {
		shown = count;
		try {
			const { entries } = await get("log", { limit: shown });
			list.replaceChildren(...entries.map((it) => line(it)));
			notice.hidden = entries.length > 0;
			say(notice, t("log.empty"));
			more.hidden = entries.length < FEW || shown === MANY;
		} catch (error) {
			notice.hidden = false;
			more.hidden = true;
			say(notice, wordsFor(error));
		}
	}

	return { element, loaded: load() };
}

function line(it) {
	const fields = Object.entries(it.fields ?? {}).map(([key, value]) => `${key}=${value}`).join("  ");
	return h(
		"li",
		{ class: "log-line", "data-level": it.level },
		h("time", { datetime: it.at, title: dateTime(it.at) }, clockSeconds(it.at)),
		h("span", { class: "log-level" }, it.level),
		h("span", { class: "log-text" }, h("span", {}, it.event), fields && h("span", { class: "quiet log-fields" }, fields)),
	);
}
