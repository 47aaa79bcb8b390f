import { signal } from "@preact/signals";

/** What the tail on screen holds back, for the bar at the top: a page that shows old rows must not say that it is live. */
export const pausedTail = signal<{ atMs: number; fresh: number } | null>(null);
