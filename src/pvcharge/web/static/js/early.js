// Runs before the first paint, so that nobody who chose dark sees a white flash.
(() => {
	let chosen = null;
	try {
		chosen = localStorage.getItem("pvcharge.theme");
	} catch {
		// Storage is forbidden in this frame.
	}
	const dark = chosen === "dark" || (chosen !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
	document.documentElement.dataset.theme = dark ? "dark" : "light";
})();
