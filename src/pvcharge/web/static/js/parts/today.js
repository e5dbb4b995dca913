/** What this day has brought so far; where the window is too narrow for it, nothing is asked. */

import { get } from "../api.js";
import { serverNow } from "../clock.js";
import { h, say, swatch, term } from "../dom.js";
import { energy, siteDate } from "../format.js";
import { t } from "../i18n.js";
import { store } from "../store.js";

const RENEW_MS = 120_000;
const SHOWN = { pv: "pv_kwh", car: "charger_kwh", import: "import_kwh", export: "export_kwh" };
const COLOURS = { pv: "c-pv", car: "c-car", import: "c-grid", export: "c-grid-pale" };
const wide = matchMedia("(min-width: 900px)");

export function today() {
	const values = Object.fromEntries(Object.keys(SHOWN).map((key) => [key, h("dd", {}, "–")]));
	const facts = Object.entries(values).map(([key, value]) =>
		term([swatch(COLOURS[key]), t(`sum.${key}`)], value));
	const element = h("section", { class: "today", "aria-labelledby": "today-title" }, h("h2", { id: "today-title" }, t("today.title")), h("dl", { class: "facts" }, facts));
	let askedAt = -RENEW_MS;

	async function load() {
		const start = siteDate(serverNow());
		const end = new Date(Date.parse(`${start}T12:00:00Z`) + 86_400_000).toISOString().slice(0, 10);
		try {
			const { rows } = await get("energy", { by: "day", start, end });
			for (const [key, column] of Object.entries(SHOWN)) say(values[key], energy(rows[0]?.[column]));
		} catch {
			// The figures of before stay; the next turn comes soon.
		}
	}

	return {
		element,
		update() {
			const offered = store.state?.can.includes("history") ?? true;
			element.hidden = !offered;
			if (!store.state || !offered || !wide.matches || performance.now() - askedAt < RENEW_MS) return;
			askedAt = performance.now();
			load();
		},
	};
}
