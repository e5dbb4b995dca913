/** Starts the page: words, access, the live line; and shows the view that the address names. */

import { get, whenDenied } from "./api.js";
import { h } from "./dom.js";
import { loadWords, setLanguage, t } from "./i18n.js";
import { LiveLine } from "./live.js";
import { applyTheme } from "./prefs.js";
import { context, currentRoute, shell } from "./shell.js";
import { listen, setAccess, setAlive, store, takeChanges, takeState } from "./store.js";
import { mount as mountLogin } from "./views/login.js";

/* A view is an object with update(), called when the state has changed, and destroy(). */

const RETRY_MS = 3000;
const root = document.getElementById("app");
let frame = null;
let view = null;
let shown = "";
let turn = 0;

const line = new LiveLine({
	onSnapshot: takeState,
	onDelta: takeChanges,
	onAlive: setAlive,
	onRefused: () => askAccess().catch(() => {}),
});

async function askAccess() {
	const access = await get("access");
	const before = store.access?.level;
	setAccess(access);
	if (access.level === "none") line.stop();
	else line.start();
	if (before !== access.level) showView(true);
}

/** Another level has another state, so the line begins anew. */
function accessChanged() {
	line.stop();
	askAccess().catch(() => setTimeout(accessChanged, RETRY_MS));
}

function build() {
	frame = shell({
		onLanguage: async (wanted) => {
			await setLanguage(wanted);
			build();
			showView(true);
		},
		onSignIn: () => showLogin(),
		onSignedOut: accessChanged,
	});
	root.replaceChildren(...frame.elements);
	frame.update();
}

/** @param {boolean} [anew] even if it is the one that is shown */
async function showView(anew = false) {
	if (store.access?.level === "none") {
		showLogin();
		return;
	}
	const route = currentRoute();
	if (!anew && shown === route.name) return;
	if (!route.open(context())) {
		location.hash = "#/live";
		return;
	}
	const mine = ++turn;
	const module = await route.load();
	if (mine !== turn) return;
	const moved = shown !== "" && shown !== route.name;
	put(route.name, (main) => module.mount(main));
	if (moved) {
		scrollTo(0, 0);
		document.getElementById("view-title")?.focus({ preventScroll: true });
	}
}

function showLogin() {
	turn += 1;
	put("login", (main) => mountLogin(main, accessChanged));
}

function put(name, mount) {
	view?.destroy();
	frame.main.replaceChildren();
	document.body.dataset.view = name;
	shown = name;
	view = mount(frame.main);
	frame.update();
	view.update();
}

function update() {
	frame?.update();
	view?.update();
	if (store.state && shown && shown !== "login" && !currentRoute().open(context())) location.hash = "#/live";
}

async function start() {
	applyTheme();
	const access = get("access").catch(() => null);
	try {
		await loadWords();
	} catch {
		setTimeout(start, RETRY_MS);
		return;
	}
	build();
	document.body.append(h("div", { id: "toasts", class: "toasts" }));
	skipLink();
	listen(update);
	whenDenied(() => store.access?.level !== "none" && accessChanged());
	addEventListener("hashchange", () => showView());
	const found = await access;
	if (!found) {
		accessChanged();
		return;
	}
	setAccess(found);
	showView();
	if (found.level !== "none") line.start();
}

/** The part behind # names the view, so this link moves the focus by hand. */
function skipLink() {
	const link = document.querySelector(".skip");
	link.replaceChildren(t("skip"));
	link.addEventListener("click", (event) => {
		event.preventDefault();
		frame.main.focus();
	});
}

start();
