/**
 * Words: one flat table per language, shared with MQTT and the command line. Those of the page have keys that
 * begin with "page.", which is left out in these modules.
 */

import { keep, recall } from "./prefs.js";

export const LANGUAGES = { en: "English", de: "Deutsch" };

let table = {};
let language = "en";

/** @returns {string} the language that was chosen here, else the browser's first that is spoken */
function preferred() {
	const wanted = [recall("lang"), ...(navigator.languages ?? [])];
	return wanted.map((it) => it?.slice(0, 2).toLowerCase()).find((it) => it && it in LANGUAGES) ?? "en";
}

export async function loadWords(wanted = preferred()) {
	const answer = await fetch(`./words/${wanted}.json`, { credentials: "same-origin" });
	if (!answer.ok) throw new Error(`words/${wanted}.json: ${answer.status}`);
	table = await answer.json();
	language = wanted;
	document.documentElement.lang = wanted;
}

export async function setLanguage(wanted) {
	await loadWords(wanted);
	keep("lang", wanted);
}

export function lang() {
	return language;
}

export function knows(key) {
	return `page.${key}` in table || key in table;
}

/**
 * @param {Record<string, string|number>} [params] for the {names} in the text
 * @returns {string} the text, or the key where there is none
 */
export function t(key, params = {}) {
	const text = table[`page.${key}`] ?? table[key] ?? key;
	return text.replace(/\{(\w+)\}/g, (whole, name) => (name in params ? String(params[name]) : whole));
}

/** The text of the first key that has one, else the end of the last key made readable. */
export function tAny(...keys) {
	const key = keys.find(knows);
	if (key) return t(key);
	const tail = keys[keys.length - 1].split(".").pop() ?? "";
	return tail.charAt(0).toUpperCase() + tail.slice(1).replaceAll("_", " ");
}
