import { effect, type ReadonlySignal, signal, batch as together } from "@preact/signals";
import type { ConfigReport, Health } from "@signalbox/common/contracts/service.ts";
import type { TaskList } from "@signalbox/common/contracts/task.ts";
import { type Auth, buildAuth } from "../net/auth.ts";
import { type FleetConfig, knownServices } from "../net/config.ts";
import { buildErrorReports, followErrors } from "../net/error-report.ts";
import type { Received } from "../net/frames.ts";
import { buildRest, probeService, type Rest } from "../net/rest.ts";
import { Stream } from "../net/stream.ts";
import { isUp } from "../net/stream-state.ts";
import { applyFrames, type Batch, initialLive, type LiveState, toBatch } from "../store/live.ts";
import { emptyNeeds, FAILED_WINDOW_MS, type NeedsState, putNeeds, startNeeds } from "../store/needs.ts";
import { toListTask } from "../store/rows.ts";
import { applyHealth, applyReport, needsReport, type ServicesState, startServices } from "../store/services.ts";
import { buildAsides } from "./asides.ts";
import { clockOffsetMs, serverNow } from "./clock.ts";
import type { App } from "./context.ts";

const SETTLE_MS = 400;
const HEALTH_MS = 15_000;
const EPOCH_MS = 1_000;

/** Counts epochs at most once a second, the first at once: a burst of gaps is one reason to read again. */
function buildEpoch() {
  const epoch = signal(0);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let lastMs = Number.NEGATIVE_INFINITY;
  const count = () => {
    timer = undefined;
    lastMs = Date.now();
    epoch.value++;
  };
  const bump = () => {
    const waitMs = lastMs + EPOCH_MS - Date.now();
    if (waitMs <= 0) count();
    else if (timer === undefined) timer = setTimeout(count, waitMs);
  };
  return { epoch, bump };
}

function buildNeedsReader(rest: Rest, needs: { value: NeedsState }) {
  const read = (query: Record<string, string>) =>
    rest.call<TaskList>("orchestrator", "/tasks", { query: { ...query, limit: 200 } });
  return async () => {
    const since = new Date(serverNow() - FAILED_WINDOW_MS).toISOString();
    const [active, failed] = await Promise.all([
      read({ status: "queued,running,waiting" }),
      read({ status: "failed", since }),
    ]);
    if (!active.ok || !failed.ok) {
      const failure = active.ok ? (failed.ok ? null : failed.failure) : active.failure;
      needs.value = { ...needs.value, problem: failure?.message ?? null };
      return;
    }
    const slim = (page: TaskList) => ({ ...page, items: page.items.map((task) => toListTask(task)) });
    needs.value = startNeeds(needs.value, { active: slim(active.body), failed: slim(failed.body) });
  };
}

type NeedsReasons = { auth: Auth; stream: Stream; epoch: ReadonlySignal<number>; needs: ReadonlySignal<NeedsState> };

/** Reads what needs a person at sign-in, whenever reads may have holes, and when the fleet is back after a read that failed. */
function keepNeeds({ auth, stream, epoch, needs }: NeedsReasons, read: () => Promise<void>): void {
  let readEpoch = -1;
  let isReading = false;
  effect(() => {
    const isBack = isUp(stream.status.value.phase) && needs.peek().problem !== null;
    if (auth.state.value !== "in" || isReading || (readEpoch === epoch.value && !isBack)) return;
    isReading = true;
    void read().finally(() => {
      isReading = false;
      readEpoch = epoch.peek();
    });
  });
}

function buildServiceChecks(rest: Rest, services: { value: ServicesState; peek: () => ServicesState }) {
  const readReport = async (name: string) => {
    const answer = await rest.call<ConfigReport>(name, "/config/validate");
    services.value = applyReport(services.peek(), name, answer);
  };
  const checkOne = async (name: string, anew: boolean) => {
    const find = () => services.peek().find((service) => service.name === name);
    const before = find();
    const answer = await rest.call<Health>(name, "/health");
    services.value = applyHealth(services.peek(), name, answer, Date.now());
    const after = find();
    if (before && after && (anew || needsReport(before, after))) await readReport(name);
  };
  return async (anew = false) => {
    const running = services.peek().filter(({ url }) => url !== null);
    await Promise.all(running.map(({ name }) => checkOne(name, anew)));
  };
}

function followNetwork(stream: Stream): void {
  addEventListener("online", () => stream.retryNow());
  addEventListener("offline", () => stream.networkLost());
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") stream.retryNow();
  });
}

function pollHealth(check: () => Promise<void>, isSignedIn: () => boolean): void {
  setInterval(() => {
    if (document.visibilityState === "visible" && isSignedIn()) void check();
  }, HEALTH_MS);
}

/** Resolves when a connection has been greeted or has failed, at the latest after 400 ms. */
function buildSettled(stream: Stream) {
  return () =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(finish, SETTLE_MS);
      const stop = effect(() => {
        if (stream.status.value.phase !== "connecting") queueMicrotask(finish);
      });
      function finish(): void {
        clearTimeout(timer);
        stop();
        resolve();
      }
    });
}

function reportErrors(auth: Auth, rest: Rest): void {
  followErrors(
    buildErrorReports({
      send: (body) => rest.call("logging", "/log", { method: "POST", body }),
      isSignedIn: () => auth.state.peek() === "in",
      nowMs: Date.now,
      page: () => location.pathname,
    }),
  );
}

/** Composes the page from its fleet's addresses; signing in starts the stream, signing out stops it. */
export function startApp(config: FleetConfig): App {
  const auth = buildAuth(sessionStorage);
  const rest = buildRest(config, auth);
  reportErrors(auth, rest);
  const live = signal<LiveState>(initialLive);
  const needs = signal<NeedsState>(emptyNeeds);
  const services = signal(startServices(knownServices, config.services, Date.now()));
  const { epoch, bump } = buildEpoch();
  const listeners = new Set<(batch: Batch) => void>();
  const asides = buildAsides({ rest, config, epoch, isSignedIn: () => auth.state.value === "in" });

  const apply = (received: readonly Received[]) => {
    const batch = toBatch(live.peek(), received);
    together(() => {
      live.value = applyFrames(live.peek(), received, Date.now());
      needs.value = putNeeds(needs.peek(), batch.listTasks);
      clockOffsetMs.value = live.peek().offsetMs;
      for (const listener of listeners) listener(batch);
    });
    asides.noteBatch(batch);
    if (batch.hasLoss) bump();
  };
  const stream = new Stream({
    base: config.services.orchestrator ?? "",
    token: auth.token,
    probe: () => probeService(rest, "orchestrator"),
    apply,
    onFresh: bump,
    onDenied: () => auth.expire(auth.token()),
  });
  const readNeeds = buildNeedsReader(rest, needs);
  const checkServices = buildServiceChecks(rest, services);
  effect(() => {
    // A refused sign-in keeps the stream's place, so that the next one resumes without a hole.
    if (auth.state.value === "out") stream.stop();
    if (auth.state.value !== "in") return;
    stream.start();
    void checkServices();
  });
  const settled = buildSettled(stream);
  keepNeeds({ auth, stream, epoch, needs }, () => settled().then(readNeeds));
  followNetwork(stream);
  pollHealth(checkServices, () => auth.state.peek() === "in");

  return {
    config,
    auth,
    rest,
    stream,
    live,
    needs,
    asides,
    services,
    epoch,
    onBatch(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    settled,
    checkServices,
    signOut() {
      auth.signOut();
      localStorage.clear();
      sessionStorage.clear();
      live.value = initialLive;
      needs.value = emptyNeeds;
    },
  };
}
