/** What stands around every view: title, whether the line is alive, the ways to the views, language and theme. */

import { post } from "./api.js";
import { attribute, button, h, say } from "./dom.js";
import { clockTime } from "./format.js";
import { LANGUAGES, lang, t } from "./i18n.js";
import { icon } from "./icons.js";
import { segments } from "./parts/segments.js";
import { setTheme, theme } from "./prefs.js";
import { isOwner, store } from "./store.js";
import { toastError } from "./notices.js";

const THEMES = ["auto", "light", "dark"];

/* Which view is shown stands behind the # of the address, so that it can be kept and sent to others.
   `name` is also that of the icon and the words; `open` says whether a view is offered. */
export const ROUTES = [
	{ name: "live", load: () => import("./views/live.js"), open: () => true },
	{ name: "history", load: () => import("./views/history.js"), open: ({ history }) => history },
	{ name: "sessions", load: () => import("./views/sessions.js"), open: ({ history }) => history },
	{ name: "settings", load: () => import("./views/settings.js"), open: ({ owner, settings }) => owner && settings },
	{ name: "health", load: () => import("./views/health.js"), open: () => true },
];

export function currentRoute() {
	const name = location.hash.replace(/^#\/?/, "");
	return ROUTES.find((it) => it.name === name) ?? ROUTES[0];
}

export function shell(on) {
	const title = h("h1", { class: "view-title", id: "view-title", tabindex: "-1" });
	const dot = h("span");
	const line = h("p", { class: "line", test: "line" }, h("span", { class: "line-dot", "aria-hidden": "true" }), dot);
	const bannerText = h("p", {});
	const banner = h("div", { class: "banner", role: "alert", test: "banner", hidden: true }, icon("warn"), bannerText);
	const links = ROUTES.map((route) => h("a", { href: `#/${route.name}`, class: "tab", test: `tab-${route.name}` }, icon(route.name), h("span", {}, t(`nav.${route.name}`))));
	const site = h("span", { class: "brand-site" });
	const nav = h("nav", { class: "nav", "aria-label": t("nav.title") }, h("p", { class: "brand" }, h("img", { src: "./icons/icon.svg", alt: "", width: "32", height: "32" }), h("span", {}, h("strong", {}, "pvcharge"), site)), h("div", { class: "tabs" }, links));
	const menu = menuOf(on);
	const head = h("header", { class: "top" }, title, line, menu.element, banner);
	const main = h("main", { id: "main", tabindex: "-1", "aria-labelledby": "view-title" });

	function update() {
		const route = currentRoute();
		const none = store.access?.level === "none";
		say(title, t(none ? "login.heading" : `nav.${route.name}`));
		links.forEach((link, index) => {
			attribute(link, "aria-current", ROUTES[index] === route ? "page" : null);
			link.hidden = !ROUTES[index].open(context());
		});
		nav.hidden = none;
		say(site, store.state?.site ?? "");
		line.hidden = none;
		const state = !store.alive ? "dead" : store.state ? "live" : "wait";
		attribute(line, "data-line", state);
		say(dot, t(`line.${state}`));
		banner.hidden = none || store.alive;
		say(bannerText, store.alive ? "" : t("banner.dead", { time: clockTime(store.deadSince) }));
		menu.update();
		document.title = `${title.textContent} · pvcharge`;
	}

	return { main, elements: [head, nav, main], update };
}

/** What decides which views are offered; all of them before the first state is there. */
export function context() {
	const can = (what) => store.state?.can.includes(what) ?? true;
	return { owner: isOwner(), history: can("history"), settings: can("settings") };
}

function menuOf(on) {
	const opener = button("icon-button", () => open(panel.hidden), { "aria-haspopup": "true", "aria-expanded": "false", "aria-controls": "menu", "aria-label": t("menu"), test: "menu" }, icon("menu"));
	const themes = segments("theme", THEMES, setTheme);
	const language = h("select", { id: "language", class: "input", test: "language", value: lang(), on: { change: () => on.onLanguage(language.value) } }, Object.entries(LANGUAGES).map(([code, name]) => h("option", { value: code, lang: code }, name)));
	const signIn = button("button", () => (open(false), on.onSignIn()), { test: "sign-in" }, icon("lock"), t("login.act"));
	const signOut = button("button quiet", () => leave(), { test: "logout" }, icon("lock"), t("logout"));
	const panel = h("div", { class: "menu-panel", id: "menu", hidden: true }, h("p", { class: "menu-label" }, t("theme.title")), themes.element, h("label", { class: "menu-label", for: "language" }, t("language")), language, signIn, signOut);
	const element = h("div", { class: "menu" }, opener, panel);

	function open(shown) {
		panel.hidden = !shown;
		attribute(opener, "aria-expanded", String(shown));
		if (shown) panel.querySelector("[aria-checked=true]")?.focus();
	}

	async function leave() {
		open(false);
		try {
			await post("logout");
			on.onSignedOut();
		} catch (error) {
			toastError(error);
		}
	}

	function update() {
		themes.mark(theme());
		const { level, password_set: secured } = store.access ?? {};
		signIn.hidden = level !== "guest";
		signOut.hidden = !(level === "owner" && secured);
	}

	element.addEventListener("keydown", (event) => {
		if (event.key !== "Escape" || panel.hidden) return;
		open(false);
		opener.focus();
	});
	document.addEventListener("pointerdown", (event) => !element.contains(event.target) && open(false));
	return { element, update };
}
