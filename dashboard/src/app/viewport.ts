import { signal } from "@preact/signals";

const narrow = matchMedia("(max-width: 719px)");

/** Under 720 px rows are cards and the navigation is at the bottom. */
export const isPhone = signal(narrow.matches);

narrow.addEventListener("change", () => {
  isPhone.value = narrow.matches;
});
