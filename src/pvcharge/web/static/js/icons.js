/** The icons: strokes on a field of 24 x 24, in the colour of the text around them. */

import { svg } from "./dom.js";

const PATHS = {
	pv: "M5 4h14l3 11H2zM12 4v11M3.6 9.5h16.8M12 15v5M8 20h8",
	house: "M3 11.5 12 4l9 7.5M5.5 9.5V20h13V9.5M10 20v-5.5h4V20",
	grid: "M12 3 7 21M12 3l5 18M9.6 11.5h4.8M8.4 16h7.2M5 7.5h14M5 7.5v2.5M19 7.5v2.5M8.4 16l6-4.5M15.6 16l-6-4.5",
	battery: "M4 8h14a1 1 0 0 1 1 1v6a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V9a1 1 0 0 1 1-1zM21.5 10.5v3M7 10.5v3M10.5 10.5v3",
	car: "M4 16.5v-4l2-5.2A2 2 0 0 1 7.9 6h8.2a2 2 0 0 1 1.9 1.3l2 5.2v4zM4 12.5h16M4.5 16.5V19M19.5 16.5V19M7.5 14.5h1.5M15 14.5h1.5",
	off: "M12 3v8M6.5 6.8a8 8 0 1 0 11 0",
	surplus: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M5.3 18.7l1.4-1.4M17.3 6.7l1.4-1.4",
	min_surplus: "M5.5 13a6.5 6.5 0 0 1 13 0M12 2.5v2M3.5 6l1.4 1.4M20.5 6l-1.4 1.4M2.5 17h19M6 21h12",
	boost: "M13 2.5 5 13.5h6l-1 8 8.5-11.5H12z",
	history: "M3.5 4v16.5H21M7 15l4-5 3.5 3L20 6.5",
	sessions: "M8.5 6H21M8.5 12H21M8.5 18H21M4 6h.5M4 12h.5M4 18h.5",
	settings: "M4 7h9M17 7h3M4 17h3M11 17h9M15 4.5v5M9 14.5v5",
	health: "M2.5 12H7l2.5-6.5 4.5 13L16.5 12h5",
	live: "M12 10.5a1.5 1.5 0 1 0 0 3 1.5 1.5 0 0 0 0-3zM8.1 8.1a5.5 5.5 0 0 0 0 7.8M15.9 8.1a5.5 5.5 0 0 1 0 7.8M5.3 5.3a9.5 9.5 0 0 0 0 13.4M18.7 5.3a9.5 9.5 0 0 1 0 13.4",
	warn: "M12 4 2.5 20h19zM12 10v4.5M12 17v.5",
	ok: "M4.5 12.5l5 5 10-11",
	left: "M14.5 5.5 8 12l6.5 6.5",
	right: "M9.5 5.5 16 12l-6.5 6.5",
	more: "M12 5v14M5 12h14",
	less: "M5 12h14",
	close: "M6 6l12 12M18 6 6 18",
	download: "M12 4v11M7 10.5l5 5 5-5M4.5 20h15",
	undo: "M8 5 4 9l4 4M4 9h10a6 6 0 0 1 0 12h-3",
	menu: "M5 12h.01M12 12h.01M19 12h.01",
	key: "M8 11.5a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM11 13l8.5-8.5M16 8l3 3",
	trash: "M4 7h16M9 7V4h6v3M6 7l1 13.5h10L18 7M10 11v6M14 11v6",
	lock: "M6 11h12v9.5H6zM8.5 11V7.5a3.5 3.5 0 0 1 7 0V11",
	link: "M9.5 14.5l5-5M8 11l-2.5 2.5a4 4 0 0 0 5.5 5.5L13.5 16.5M10.5 7.5 13 5a4 4 0 0 1 5.5 5.5L16 13",
};

/** @returns {SVGElement} without a name for screen readers: what it stands beside has one */
export function icon(name) {
	return svg(
		"svg",
		{ viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true", focusable: "false" },
		svg("path", { d: PATHS[name] ?? PATHS.menu }),
	);
}

/**
 * The icon as part of a larger drawing.
 * @param {number} x of its middle
 * @param {number} y of its middle
 */
export function iconAt(name, x, y, size) {
	const scale = size / 24;
	const place = `translate(${x - size / 2} ${y - size / 2}) scale(${scale})`;
	return svg("path", { d: PATHS[name], transform: place, class: "icon-path" });
}
