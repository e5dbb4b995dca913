/**
 * What this browser remembers: theme and language. Where storage is forbidden (a frame of another site),
 * the choice lasts as long as the page.
 */

const held = new Map();

export function recall(name) {
	try {
		return localStorage.getItem(`pvcharge.${name}`) ?? held.get(name) ?? null;
	} catch {
		return held.get(name) ?? null;
	}
}

export function keep(name, value) {
	held.set(name, value);
	try {
		localStorage.setItem(`pvcharge.${name}`, value);
	} catch {
		// Held for as long as the page is open.
	}
}

const BARS = { light: "#f6f5f1", dark: "#0f1216" };
const dark = matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set();

/** @returns {"auto"|"light"|"dark"} what was chosen */
export function theme() {
	const chosen = recall("theme");
	return chosen === "light" || chosen === "dark" ? chosen : "auto";
}

export function setTheme(choice) {
	keep("theme", choice);
	applyTheme();
}

/** Puts the theme into force and tells those who draw on canvas. */
export function applyTheme() {
	const shown = theme() === "auto" ? (dark.matches ? "dark" : "light") : theme();
	document.documentElement.dataset.theme = shown;
	document.querySelector("meta[name=theme-color]")?.setAttribute("content", BARS[shown]);
	for (const listener of listeners) listener();
}

/** @returns {() => void} ends it */
export function onTheme(listener) {
	listeners.add(listener);
	return () => listeners.delete(listener);
}

dark.addEventListener("change", applyTheme);
