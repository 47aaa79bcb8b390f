import { computed, signal } from "@preact/signals";

/** Where the page is: real paths, with everything a view needs in the query string, so that a link shows the same view again. */
const place = signal({ path: location.pathname, search: location.search });

export const path = computed(() => place.value.path);
export const search = computed(() => new URLSearchParams(place.value.search));

/** Counts moves to another screen, so that focus and scroll are set once a move and not on each change of a filter. */
export const moves = signal(0);

function read(): void {
  const moved = location.pathname !== place.peek().path;
  place.value = { path: location.pathname, search: location.search };
  if (moved) moves.value++;
}

/** Goes to an address of this page as a link would. */
export function navigate(to: string): void {
  history.pushState(null, "", to);
  read();
  window.scrollTo(0, 0);
}

/** Where the person came from, as they left it; a page that was opened by its address has only the list to go back to. */
export function goBack(): void {
  if (moves.peek() > 0) history.back();
  else navigate("/tasks");
}

/** Changes the query string in place: a filter that is being typed makes no history. */
export function replaceSearch(next: URLSearchParams): void {
  const text = next.toString();
  history.replaceState(history.state, "", `${location.pathname}${text === "" ? "" : `?${text}`}`);
  read();
}

export function setParam(name: string, value: string | null): void {
  const next = new URLSearchParams(location.search);
  if (value === null || value === "") next.delete(name);
  else next.set(name, value);
  replaceSearch(next);
}

/** An address that somebody cut in the middle of an escape is an unknown id, not a page that breaks. */
function decodePart(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** `/tasks/:id` against `/tasks/0193…`: its parameters, or null. */
export function matchPath(pattern: string, actual: string): Record<string, string> | null {
  const names = pattern.split("/");
  const parts = actual.replace(/(.)\/$/, "$1").split("/");
  if (names.length !== parts.length) return null;
  const params: Record<string, string> = {};
  for (const [index, name] of names.entries()) {
    const part = parts[index] ?? "";
    if (name.startsWith(":")) params[name.slice(1)] = decodePart(part);
    else if (name !== part) return null;
  }
  return params;
}

function isPlainClick(event: MouseEvent): boolean {
  return (
    event.button === 0 &&
    !event.metaKey &&
    !event.ctrlKey &&
    !event.shiftKey &&
    !event.altKey &&
    !event.defaultPrevented
  );
}

function followLink(event: MouseEvent): void {
  const link = event.target instanceof Element ? event.target.closest("a") : null;
  if (!link || !isPlainClick(event) || link.target !== "" || link.origin !== location.origin) return;
  if (link.hasAttribute("download") || link.getAttribute("href")?.startsWith("#")) return;
  event.preventDefault();
  navigate(link.pathname + link.search);
}

export function startRouter(): void {
  addEventListener("popstate", read);
  document.addEventListener("click", followLink);
}
