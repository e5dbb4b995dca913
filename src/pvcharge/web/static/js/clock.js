/**
 * The server's time, carried on between its messages. A demonstration runs faster than the wall clock, so the
 * pace is learned too.
 */

let server = 0;
let heard = 0;
let pace = 1;

/** @param {string} at ISO 8601 */
export function hear(at) {
	const now = performance.now();
	const said = Date.parse(at);
	if (Number.isNaN(said)) return;
	const passed = now - heard;
	if (server && passed > 300 && passed < 30_000) {
		const seen = Math.min(Math.max((said - server) / passed, 0), 10_000);
		pace = Math.abs(seen - pace) > 0.5 * pace ? seen : 0.7 * pace + 0.3 * seen;
	}
	[server, heard] = [said, now];
}

/** @returns {number} milliseconds since 1970; the wall clock until the server has been heard */
export function serverNow() {
	return server ? server + Math.min(performance.now() - heard, 6000) * pace : Date.now();
}
