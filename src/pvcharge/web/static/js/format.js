/** Numbers, times and durations as people write them in the language of the page, times in the site's zone. */

import { lang, t } from "./i18n.js";

const NOTHING = "–";
const made = new Map();
let zone = undefined;
let currency = null;

/** @param {?string} money ISO 4217 */
export function setSite(timezone, money) {
	zone = timezone;
	currency = money;
}

/** @returns {string|undefined} the site's time zone */
export function siteZone() {
	return zone;
}

function locale() {
	return lang() === "de" ? "de-AT" : "en-GB";
}

function once(kind, options) {
	const key = `${kind}${locale()}${zone}${JSON.stringify(options)}`;
	if (!made.has(key)) made.set(key, new Intl[kind](locale(), options));
	return made.get(key);
}

export function number(value, decimals = 0) {
	if (!Number.isFinite(value)) return NOTHING;
	const options = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
	const shown = once("NumberFormat", options).format(value);
	return /^-[0.,]*$/.test(shown) ? shown.slice(1) : shown; // no minus zero
}

/** @returns {string} kilowatts without the unit */
export function kw(watts) {
	return number(watts == null ? null : watts / 1000, 1);
}

export function power(watts) {
	return `${kw(watts)} kW`;
}

export function energy(kwh) {
	return `${number(kwh, Math.abs(kwh ?? 0) < 100 ? 1 : 0)} kWh`;
}

/** @param {?number} share 0..1 */
export function percent(share) {
	return share == null ? NOTHING : `${number(100 * share)} %`;
}

export function money(amount) {
	if (amount == null) return NOTHING;
	if (!currency) return number(amount, 2);
	return once("NumberFormat", { style: "currency", currency }).format(amount);
}

/** @returns {string} in at most two units */
export function duration(seconds) {
	if (!Number.isFinite(seconds)) return NOTHING;
	const s = Math.max(0, Math.round(seconds));
	if (s < 100) return `${s} s`;
	const minutes = Math.round(s / 60);
	if (minutes < 60) return `${minutes} min`;
	if (minutes < 48 * 60) return minutes % 60 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${minutes / 60} h`;
	return t("unit.days", { n: Math.round(minutes / 1440) });
}

/** @returns {string} as a clock that counts down */
export function countdown(seconds) {
	const s = Math.max(0, Math.round(seconds));
	const two = (n) => String(n).padStart(2, "0");
	const [hours, minutes] = [Math.floor(s / 3600), Math.floor(s / 60) % 60];
	return hours ? `${hours}:${two(minutes)}:${two(s % 60)}` : `${minutes}:${two(s % 60)}`;
}

function moment(value, options) {
	if (value == null) return NOTHING;
	const date = new Date(value);
	return Number.isNaN(date.getTime()) ? NOTHING : once("DateTimeFormat", { timeZone: zone, ...options }).format(date);
}

/** @param {string|number|null} value ISO 8601 or milliseconds */
export function clockTime(value) {
	return moment(value, { hour: "2-digit", minute: "2-digit" });
}

export function clockSeconds(value) {
	return moment(value, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
}

export function dateTime(value) {
	return moment(value, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
}

export function shortDate(value) {
	return moment(value, { weekday: "short", day: "numeric", month: "short", year: "numeric" });
}

/** @param {string} date such as 2026-06-15, of no zone */
export function calendar(date, options) {
	return once("DateTimeFormat", { timeZone: "UTC", ...options }).format(new Date(`${date}T12:00:00Z`));
}

/** @returns {string} the date there, as 2026-06-15 */
export function siteDate(ms) {
	return new Intl.DateTimeFormat("sv-SE", { timeZone: zone }).format(new Date(ms));
}

export function level(phases, amps) {
	if (phases == null || amps == null) return NOTHING;
	return phases ? `${phases} × ${number(amps, Number.isInteger(amps) ? 0 : 1)} A` : t("level.off");
}
