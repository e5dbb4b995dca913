/**
 * The live line: a WebSocket that brings a snapshot and then what changes. It comes back by itself, at once when
 * the device wakes or the network returns; a message that is missing, or silence, counts as a dead line.
 */

const SILENCE_MS = 15_000;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 20_000;

/** `onRefused` is called after some failures in a row: perhaps we may no longer. */
export class LiveLine {
	constructor(handlers) {
		this.handlers = handlers;
		this.socket = null;
		this.seq = 0;
		this.failures = 0;
		this.pauseTimer = 0;
		this.silenceTimer = 0;
		this.stopped = true;
		this.wake = () => document.visibilityState === "visible" && this.hurry();
	}

	start() {
		if (!this.stopped) return;
		this.stopped = false;
		this.listening = new AbortController();
		const { signal } = this.listening;
		addEventListener("online", this.wake, { signal });
		addEventListener("pageshow", this.wake, { signal });
		document.addEventListener("visibilitychange", this.wake, { signal });
		this.connect();
	}

	stop() {
		this.stopped = true;
		this.listening?.abort();
		this.drop();
	}

	/** Connects now instead of after the pause, or finds out at once whether a line that slept is alive. */
	hurry() {
		if (this.stopped) return;
		if (!this.socket) this.connect();
		else if (performance.now() - this.heardAt > SILENCE_MS / 2) this.lost();
	}

	connect() {
		clearTimeout(this.pauseTimer);
		this.drop();
		const url = new URL("./api/v1/live", location.href);
		url.protocol = url.protocol.replace("http", "ws");
		url.hash = "";
		const socket = new WebSocket(url);
		this.socket = socket;
		this.seq = 0;
		this.heardAt = performance.now();
		this.listenForSilence();
		socket.addEventListener("message", (event) => socket === this.socket && this.take(event.data));
		socket.addEventListener("close", () => socket === this.socket && this.lost());
	}

	take(data) {
		let message;
		try {
			message = JSON.parse(data);
		} catch {
			this.lost();
			return;
		}
		const inOrder = message.type === "snapshot" || (this.seq > 0 && message.seq === this.seq + 1);
		if (!inOrder) {
			this.lost();
			return;
		}
		this.seq = message.seq;
		this.failures = 0;
		this.heardAt = performance.now();
		this.listenForSilence();
		if (message.type === "snapshot") this.handlers.onSnapshot(message.state);
		else this.handlers.onDelta(message.changes, message.at);
		this.handlers.onAlive(true);
	}

	listenForSilence() {
		clearTimeout(this.silenceTimer);
		this.silenceTimer = setTimeout(() => this.lost(), SILENCE_MS);
	}

	lost() {
		this.drop();
		if (this.stopped) return;
		this.handlers.onAlive(false);
		this.failures += 1;
		if (this.failures % 3 === 2) this.handlers.onRefused();
		const longest = Math.min(FIRST_PAUSE_MS * 2 ** (this.failures - 1), LONGEST_PAUSE_MS);
		clearTimeout(this.pauseTimer);
		this.pauseTimer = setTimeout(() => this.connect(), longest * (0.5 + Math.random() / 2));
	}

	drop() {
		clearTimeout(this.pauseTimer);
		clearTimeout(this.silenceTimer);
		const socket = this.socket;
		this.socket = null;
		socket?.close();
	}
}
