import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { formatClock, formatDuration } from "../domain/time.ts";
import { countOf, formatCount } from "../domain/words.ts";
import type { StreamStatus } from "../net/stream.ts";
import { Glyph, type Lamp } from "../ui/status.tsx";
import { nowMs } from "./clock.ts";
import { useApp } from "./context.ts";
import { openPalette } from "./palette-state.ts";
import { pausedTail } from "./pause.ts";
import { settings } from "./settings.ts";

function useFrameRate(): number {
  const app = useApp();
  const last = useRef({ applied: app.live.peek().applied, atMs: Date.now() });
  const rate = useSignal(0);
  useEffect(() => {
    const { applied } = app.live.peek();
    const seconds = (Date.now() - last.current.atMs) / 1000;
    if (seconds < 0.5) return;
    rate.value = Math.round((applied - last.current.applied) / seconds);
    last.current = { applied, atMs: Date.now() };
  }, [nowMs.value]);
  return rate.value;
}

function retryWords(status: StreamStatus): string {
  const leftMs = (status.retryAtMs ?? 0) - Date.now();
  return leftMs > 1000 ? `Reconnecting in ${formatDuration(leftMs)}` : "Reconnecting";
}

function wordsOf(status: StreamStatus, rate: number): [Lamp, string] {
  switch (status.phase) {
    case "connecting":
      return ["unknown", "Connecting"];
    case "live":
      return ["ok", rate > 0 ? `Live, ${countOf(rate, "frame")}/s` : "Live"];
    case "behind":
      return ["warn", "Behind, catching up"];
    case "offline":
      return ["off", "Offline"];
    case "unauthorised":
      return ["failed", "Signed out"];
    default:
      return ["warn", retryWords(status)];
  }
}

/** The one lamp that says whether what is shown is now. A paused tail is not, whatever the connection does. */
function LiveLamp() {
  const app = useApp();
  const status = app.stream.status.value;
  const rate = useFrameRate();
  const paused = pausedTail.value;
  const [lamp, words] = wordsOf(status, rate);
  const isUp = status.phase === "live" || status.phase === "behind";
  if (paused && isUp) {
    const fresh = paused.fresh > 0 ? `, ${formatCount(paused.fresh)} new` : "";
    return <Lamplight lamp="waiting" words={`Paused at ${formatClock(paused.atMs, settings.zone.value)}${fresh}`} />;
  }
  return <Lamplight lamp={lamp} words={words} />;
}

function Lamplight({ lamp, words }: { lamp: Lamp; words: string }) {
  return (
    <a class={`live lamp-${lamp}`} href="/settings" title="About this connection">
      <Glyph lamp={lamp} />
      <span>{words}</span>
    </a>
  );
}

const isMac = /Mac|iPhone|iPad/.test(navigator.platform);

export function TopBar() {
  const app = useApp();
  return (
    <header class="top">
      <button type="button" class="top-search" onClick={() => openPalette()}>
        <span class="top-search-words">Search or run a command</span>
        <span class="top-keys" aria-hidden="true">
          {isMac ? "⌘ K" : "Ctrl K"}
        </span>
      </button>
      <div class="top-right">
        <LiveLamp />
        <span class="top-fleet" title="The fleet this page shows">
          {app.config.fleet}
        </span>
      </div>
    </header>
  );
}

const GRACE_MS = 1_500;

/** Says plainly that the page is not live, since when, why and what happens next; short interruptions pass unsaid. */
export function ConnectionBanner() {
  const app = useApp();
  const status = app.stream.status.value;
  const isDown =
    status.phase === "waiting" ||
    status.phase === "offline" ||
    (status.phase === "connecting" && status.server !== null);
  const ageMs = useDownFor(isDown);
  if (!isDown || ageMs < GRACE_MS) return null;
  const since = formatClock(Date.now() - ageMs, settings.zone.value);
  return (
    <div class="banner" role="status">
      <Glyph lamp={status.phase === "offline" ? "off" : "warn"} />
      <p>
        <strong>Not live since {since}.</strong> {status.problem ?? "The connection to the orchestrator was lost."} What
        is shown may be old.
      </p>
      <button type="button" class="button" onClick={() => app.stream.retryNow()}>
        Try now
      </button>
    </div>
  );
}

/** For how long the connection has been down, over all its retries. */
function useDownFor(isDown: boolean): number {
  const since = useRef<number | null>(null);
  if (!isDown) since.current = null;
  else since.current ??= Date.now();
  const ticked = useSignal(0);
  useEffect(() => {
    if (!isDown) return;
    const timer = setInterval(() => ticked.value++, 500);
    return () => clearInterval(timer);
  }, [isDown, ticked]);
  ticked.value;
  return since.current === null ? 0 : Date.now() - since.current;
}
