/*
 * Runs before the first paint, from its own small file because the policy forbids inline scripts: without it a person who chose
 * the dark page would see it flash light at every load.
 */
try {
  const stored: unknown = JSON.parse(localStorage.getItem("signalbox.settings") ?? "{}");
  const theme = typeof stored === "object" && stored !== null && "theme" in stored ? String(stored.theme) : "system";
  document.documentElement.dataset.theme = theme;
} catch {
  document.documentElement.dataset.theme = "system";
}
