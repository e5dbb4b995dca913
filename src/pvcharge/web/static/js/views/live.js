/** The live view: why, the flow, the charger, and the controls. */

import { h } from "../dom.js";
import { flowPicture } from "../flow.js";
import { flowOf } from "../flow_model.js";
import { t } from "../i18n.js";
import { chargerCard } from "../parts/charger.js";
import { sentence } from "../parts/sentence.js";
import { boost, limits, modes } from "../parts/steering.js";
import { today } from "../parts/today.js";
import { isOwner, store } from "../store.js";
import { edgeCard } from "./edge.js";

export function mount(root) {
	const why = sentence();
	const picture = flowPicture();
	const charger = chargerCard();
	const push = boost();
	const [mode, amps] = [modes(push.start), limits()];
	const steering = h("div", { class: "card steering" }, mode.element, push.element);
	const sums = today();
	const flowCard = h("section", { class: "card flow-card", "aria-label": t("flow.title") }, picture.element, sums.element);
	const edge = edgeCard();
	const side = h("div", { class: "live-side" }, steering, h("div", { class: "card charger-card" }, charger.element, amps.element));
	const view = h("div", { class: "live" }, why.element, edge.element, flowCard, side);
	root.append(view);

	function update() {
		const state = store.state;
		const atEdge = state?.role === "edge";
		view.classList.toggle("is-edge", atEdge);
		view.classList.toggle("is-dead", !store.alive);
		edge.element.hidden = !atEdge;
		offer(steering, ["mode", "boost"]);
		offer(mode.element, ["mode"]);
		offer(push.element, ["boost"]);
		offer(amps.element, ["limits"]);
		for (const part of [why, charger, mode, push, amps, sums]) part.update();
		if (!state) return;
		const flow = flowOf(state);
		picture.update(flow);
		edge.update();
		flowCard.hidden = atEdge && [flow.pv, flow.grid, flow.house].every((it) => it === null);
		flowCard.classList.toggle("is-stale", flow.stale);
	}

	/** Before the first snapshot everything keeps its place. */
	function offer(element, what) {
		element.hidden = !isOwner() || (store.state !== null && !what.some((it) => store.state.can.includes(it)));
	}

	picture.update(store.state ? flowOf(store.state) : flowOf({ values: {} }));
	const timer = setInterval(push.tick, 1000);
	return { update, destroy: () => clearInterval(timer) };
}
