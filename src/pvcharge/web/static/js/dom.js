/** Builds elements. Text goes in as text nodes only, so that no data can ever become markup. */

const SVG = "http://www.w3.org/2000/svg";

function append(element, children) {
	for (const child of children.flat(Infinity)) {
		if (child == null || child === false) continue;
		element.append(child instanceof Node ? child : String(child));
	}
}

/**
 * @param {object} props attributes; `on` holds listeners by event name, `vars` custom properties, `test` the name
 *   by which tests find it
 */
function adorn(element, props) {
	for (const [name, value] of Object.entries(props)) {
		if (value == null || value === false) continue;
		if (name === "on") {
			for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
		} else if (name === "vars") {
			for (const [key, it] of Object.entries(value)) element.style.setProperty(key, it);
		} else if (name === "test") {
			element.dataset.testid = value;
		} else if (name === "value" && "value" in element) {
			element.value = value;
		} else {
			element.setAttribute(name, value === true ? "" : String(value));
		}
	}
}

export function h(tag, props = {}, ...children) {
	const element = document.createElement(tag);
	append(element, children); // before the attributes: a select has its options when its value is set
	adorn(element, props);
	return element;
}

export function svg(tag, props = {}, ...children) {
	const element = document.createElementNS(SVG, tag);
	adorn(element, props);
	append(element, children);
	return element;
}

/** @param {string} kind its classes */
export function button(kind, click, props, ...children) {
	return h("button", { type: "button", class: kind, on: { click }, ...props }, children);
}

/** A name and its value, within a list of such. */
export function term(name, value, kind) {
	return h("div", { class: kind }, h("dt", {}, name), value instanceof Element ? value : h("dd", {}, value));
}

/** A dot in the colour that stands for something. */
export function swatch(kind, group) {
	return h("span", { class: `swatch ${kind}`, "data-group": group, "aria-hidden": "true" });
}

/** A part of the page with a title of its own. */
export function card(id, title, ...children) {
	return h("section", { class: "card", "aria-labelledby": id }, h("h2", { id }, title), children);
}

/** The same with something beside the title. */
export function cardWith(aside, ...rest) {
	const element = card(...rest);
	element.prepend(h("header", { class: "card-head" }, element.firstChild, aside));
	return element;
}

/** The same as a table, for those who want figures. */
export function asTable(summary, label, columns, body) {
	const head = h("thead", {}, h("tr", {}, columns.map((it) => h("th", { scope: "col" }, it))));
	const box = h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label }, h("table", {}, head, body));
	return h("details", { class: "as-list" }, h("summary", {}, summary), box);
}

/** Sets the text of an element, and touches the document only if it differs. */
export function say(element, text) {
	if (element.textContent !== text) element.textContent = text;
}

/** @param {?string} value null removes it */
export function attribute(element, name, value) {
	if (value === null) element.removeAttribute(name);
	else if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/**
 * Moves focus and choice with the arrow keys among the buttons of a group with one tab stop.
 * @param {string} selector of the buttons
 */
export function arrowKeys(group, selector, onMove) {
	group.addEventListener("keydown", (event) => {
		const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Home: -Infinity, End: Infinity }[event.key];
		const buttons = [...group.querySelectorAll(selector)].filter((it) => !it.disabled);
		const at = buttons.indexOf(document.activeElement);
		if (step === undefined || at < 0) return;
		event.preventDefault();
		let to = at + step;
		if (step === -Infinity) to = 0;
		else if (step === Infinity) to = buttons.length - 1;
		const next = buttons[(to + buttons.length) % buttons.length];
		next.focus();
		onMove(next);
	});
}
