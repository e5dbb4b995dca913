/** All charges: when, how much, how much of it from the roof, what it cost and saved. */

import { address, get } from "../api.js";
import { serverNow } from "../clock.js";
import { h, say, term } from "../dom.js";
import { clockTime, duration, energy, money, percent, shortDate, siteDate } from "../format.js";
import { tAny, t } from "../i18n.js";
import { icon } from "../icons.js";
import { store } from "../store.js";
import { wordsFor } from "../notices.js";

const MOST = 500;
const COLUMNS = ["start", "time", "energy", "share", "cost", "saved"];

export function mount(root) {
	const body = h("tbody");
	const table = h("table", { class: "sessions", test: "sessions" }, h("caption", { class: "sr-only" }, t("sessions.title")), h("thead", {}, h("tr", {}, COLUMNS.map((key) => h("th", { scope: "col", class: key === "start" || key === "share" ? "" : "num" }, t(`sessions.${key}`))))), body);
	const notice = h("p", { class: "notice", role: "status", hidden: true });
	const csv = h("a", { class: "button quiet", download: "", test: "csv" }, icon("download"), t("sessions.csv"));
	const select = h("select", { class: "input", "aria-label": t("sessions.range"), test: "range", on: { change: () => load() } }, ["year", "month", "last_year", "all"].map((key) => h("option", { value: key }, t(`sessions.range.${key}`))));
	const sums = h("dl", { class: "tiles" });
	const card = h("section", { class: "card flush", "aria-label": t("sessions.title") }, table);
	root.append(h("div", { class: "sessions-view" }, h("div", { class: "toolbar" }, select, csv), sums, notice, card));

	async function load() {
		const range = rangeOf(select.value);
		csv.href = address("sessions.csv", range);
		card.classList.add("is-loading");
		try {
			const found = await get("sessions", { ...range, limit: MOST });
			const sessions = withRunning(found.sessions, range);
			const total = found.total + sessions.length - found.sessions.length;
			body.replaceChildren(...sessions.map((it) => row(it)));
			sums.replaceChildren(...tiles(sessions, total));
			notice.hidden = sessions.length > 0 && total <= sessions.length;
			say(notice, t(sessions.length ? "sessions.more" : "sessions.none", { n: sessions.length, total }));
			card.hidden = !sessions.length;
		} catch (error) {
			notice.hidden = false;
			card.hidden = true;
			sums.replaceChildren();
			say(notice, wordsFor(error));
		} finally {
			card.classList.remove("is-loading");
		}
	}

	load();
	return { update() {}, destroy() {} };
}

function rangeOf(choice) {
	const today = siteDate(serverNow());
	const year = Number(today.slice(0, 4));
	if (choice === "month") return { start: `${today.slice(0, 7)}-01` };
	if (choice === "year") return { start: `${year}-01-01` };
	if (choice === "last_year") return { start: `${year - 1}-01-01`, end: `${year}-01-01` };
	return {};
}

/** The charge that goes on comes first, whether or not the history has it already. */
function withRunning(sessions, range) {
	const running = store.state?.session ?? null;
	const told = sessions.some((it) => it.started_at === running?.started_at);
	return running === null || told || range.end ? sessions : [running, ...sessions];
}

function row(it) {
	const ended = it.ended_at === null ? t("sessions.running") : clockTime(it.ended_at);
	const cell = (key, kind, ...children) => h("td", { class: kind, "data-label": t(`sessions.${key}`) }, children);
	return h(
		"tr",
		{},
		h("th", { scope: "row" }, h("p", {}, shortDate(it.started_at)), h("p", { class: "quiet" }, `${clockTime(it.started_at)} – ${ended}`), pauses(it)),
		cell("time", "num", duration(it.charging_s)),
		cell("energy", "num strong", energy(it.energy_kwh)),
		cell("share", "share-cell", h("span", { class: "share-box" }, bar(it.solar_share), h("span", { class: "share-value" }, percent(it.solar_share)))),
		cell("cost", "num", money(it.cost)),
		cell("saved", "num", money(it.saved)),
	);
}

function bar(share) {
	return h("span", { class: "bar", "aria-hidden": "true" }, h("span", { class: "bar-fill c-pv", vars: { "--part": String(share ?? 0) } }));
}

/** What held this charge up, the longest first. */
function pauses(it) {
	const long = Object.entries(it.pauses_s ?? {}).filter(([, seconds]) => seconds >= 60).sort((a, b) => b[1] - a[1]);
	const counts = t("sessions.counts", { starts: it.starts, switches: it.phase_switches });
	return h(
		"details",
		{ class: "session-more" },
		h("summary", {}, t("sessions.details")),
		h("p", {}, counts),
		long.length > 0 && h("ul", {}, long.slice(0, 5).map(([reason, seconds]) => h("li", {}, `${tAny(`reason.${reason}`)}: ${duration(seconds)}`))),
	);
}

function tiles(sessions, total) {
	const sum = (key) => sessions.reduce((all, it) => all + (it[key] ?? 0), 0);
	const [all, solar] = [sum("energy_kwh"), sum("solar_kwh")];
	const shown = [["count", String(total), "c-house"], ["energy", energy(all), "c-car"], ["share", percent(all > 0 ? solar / all : null), "c-pv"], ["saved", money(sum("saved")), "c-battery"]];
	return shown.map(([key, text, colour]) => term(t(`sessions.sum.${key}`), text, `tile ${colour}`));
}
