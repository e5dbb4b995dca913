/** What the page knows: the newest state, who we are, and whether the line is alive. Views listen. */

import { hear, serverNow } from "./clock.js";
import { setSite } from "./format.js";

/** State and access are those of the API: see `State` and `AccessState` in openapi.json. */
export const store = {
	state: null,
	access: null,
	alive: true,
	deadSince: null, // by the wall clock
};

const listeners = new Set();

/** @returns {() => void} ends it */
export function listen(listener) {
	listeners.add(listener);
	return () => listeners.delete(listener);
}

function tell() {
	for (const listener of listeners) listener();
}

export function takeState(state) {
	store.state = state;
	hear(state.at);
	setSite(state.timezone, state.currency);
	tell();
}

export function takeChanges(changes, at) {
	const old = store.state;
	if (!old) return;
	hear(at);
	store.state = { ...old, ...changes, at, values: { ...old.values, ...changes.values } };
	tell();
}

export function setAlive(alive) {
	if (alive === store.alive) return;
	store.alive = alive;
	store.deadSince = alive ? null : Date.now();
	tell();
}

export function setAccess(access) {
	store.access = access;
	tell();
}

/**
 * @param {string} what such as "mode"
 * @returns {boolean} whether this user may, here
 */
export function may(what) {
	return store.access?.level === "owner" && (store.state?.can ?? []).includes(what);
}

export function isOwner() {
	return store.access?.level === "owner";
}

/** @returns {?number} seconds from now, by the server's clock */
export function secondsUntil(at) {
	return at ? (Date.parse(at) - serverNow()) / 1000 : null;
}
