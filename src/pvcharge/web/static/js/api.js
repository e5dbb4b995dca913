/** Questions and commands by REST. Addresses are relative, so that the page works below any path. */

const ROOT = "./api/v1/";

/** What the server refused, in its own words (RFC 9457). */
export class Problem extends Error {
	/** @param {number} status 0 where there was no answer at all */
	constructor(status, said, retryAfterS = null) {
		super(said.detail || said.title || String(status));
		this.status = status;
		this.errors = said.errors ?? [];
		this.retryAfterS = retryAfterS;
	}
}

let onDenied = () => {};

/** @param {() => void} listener is called when the server no longer knows who we are */
export function whenDenied(listener) {
	onDenied = listener;
}

export function address(path, query = {}) {
	const asked = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
	return ROOT + path + (asked.length ? `?${new URLSearchParams(asked)}` : "");
}

async function problemOf(answer) {
	let said = {};
	try {
		said = await answer.json();
	} catch {
		// A proxy answers in HTML.
	}
	const after = Number(answer.headers.get("Retry-After"));
	return new Problem(answer.status, { title: answer.statusText, ...said }, after > 0 ? after : null);
}

/** @returns {Promise<any>} the answer, null where it is empty */
async function request(method, url, body) {
	const options = { method, credentials: "same-origin", headers: { Accept: "application/json" }, cache: "no-store" };
	if (method !== "GET") {
		options.headers["Content-Type"] = "application/json";
		options.body = JSON.stringify(body ?? {});
	}
	let answer;
	try {
		answer = await fetch(url, options);
	} catch {
		throw new Problem(0, {});
	}
	if (!answer.ok) {
		const problem = await problemOf(answer);
		if (answer.status === 401 && !url.endsWith("/login")) onDenied();
		throw problem;
	}
	return answer.status === 204 ? null : answer.json();
}

export const get = (path, query) => request("GET", address(path, query));
export const put = (path, body) => request("PUT", address(path), body);
export const post = (path, body) => request("POST", address(path), body);
export const patch = (path, body) => request("PATCH", address(path), body);
export const remove = (path) => request("DELETE", address(path));
