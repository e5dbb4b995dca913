/** A few choices of which one holds, as radio buttons side by side. */

import { arrowKeys, attribute, button, h } from "../dom.js";
import { t } from "../i18n.js";

/** @param {string} name of the words: page.<name>.title, page.<name>.<choice> */
export function segments(name, choices, onChoose) {
	const choose = (it) => {
		mark(it);
		onChoose(it);
	};
	const buttons = choices.map((it) => button("segment", () => choose(it), { role: "radio", test: `${name}-${it}` }, t(`${name}.${it}`)));
	const element = h("div", { class: "segments", role: "radiogroup", "aria-label": t(`${name}.title`) }, buttons);

	function mark(choice) {
		choices.forEach((it, index) => {
			attribute(buttons[index], "aria-checked", String(it === choice));
			buttons[index].tabIndex = it === choice ? 0 : -1;
		});
	}

	arrowKeys(element, "[role=radio]", (it) => choose(choices[buttons.indexOf(it)]));
	return { element, mark };
}
