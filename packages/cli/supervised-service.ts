import { setTimeout as delay } from "node:timers/promises";
import { SetupError } from "@signalbox/testing/setup-error.ts";
import { becomesHealthy, type Child, type Ended, type ServicePlan, spawnService, stopChild } from "./child.ts";
import type { Keeper } from "./keeper.ts";
import type { Output } from "./output.ts";

export type SupervisedService = {
  name: string;
  url: string;
  /** The running process's id; between two lives that of the last. */
  readonly pid: number;
  /** Settles with the first life: healthy, or a SetupError that says why it is not. */
  started: Promise<void>;
  /** Ends the present life gracefully; the next begins at once. */
  restart(): void;
  /** Ends it for good. */
  stop(): Promise<void>;
  /** The same at once, without grace. */
  kill(): Promise<void>;
};

export type SupervisionOptions = {
  output: Output;
  keeper: Keeper;
  /** A new life is healthy. */
  onHealthy: () => void;
  /** While files are edited a broken start is no reason to give up. */
  keepTrying: boolean;
};

const healthTimeoutMs = 60_000;
const shortestDelayMs = 250;
/** A dead service is back within 15 s: this pause and the start of a process. */
const longestDelayMs = 8_000;
/** A life this long clears the record of earlier failures. */
const soundLifeMs = 30_000;

/** The pause before the next life, doubled with every short life in a row. */
export function restartDelayMs(shortLives: number): number {
  return Math.min(longestDelayMs, shortestDelayMs * 2 ** Math.min(shortLives, 10));
}

/** Runs a service and brings it back whenever it ends, until it is stopped. */
export function superviseService(plan: ServicePlan, options: SupervisionOptions): SupervisedService {
  const life: Life = {
    pid: 0,
    child: null,
    isStopping: false,
    isKilled: false,
    hasEverStarted: false,
    hasFailed: false,
    isRestartWanted: false,
    wake: new AbortController(),
  };
  const started = Promise.withResolvers<void>();
  // Heard by whoever starts the fleet, unless that has failed already for another reason.
  started.promise.catch(() => undefined);
  const running = keepAlive(plan, options, life, started);
  const wakeUp = () => life.wake.abort();
  return {
    name: plan.name,
    url: plan.url,
    get pid() {
      return life.pid;
    },
    started: started.promise,
    restart() {
      life.isRestartWanted = life.child !== null;
      life.child?.askToStop();
      wakeUp();
    },
    async stop() {
      life.isStopping = true;
      wakeUp();
      if (life.child && !(await stopChild(life.child)) && !life.isKilled) {
        options.output.warn(`${plan.name} did not end in time and was killed`);
      }
      await running;
    },
    async kill() {
      life.isStopping = true;
      life.isKilled = true;
      wakeUp();
      life.child?.kill();
      await running;
    },
  };
}

type Life = {
  pid: number;
  child: Child | null;
  isStopping: boolean;
  /** Whoever stops it has no patience: that it did not end by itself is no news. */
  isKilled: boolean;
  hasEverStarted: boolean;
  hasFailed: boolean;
  isRestartWanted: boolean;
  /** Ends the pause between two lives. */
  wake: AbortController;
};

type Started = PromiseWithResolvers<void>;

async function keepAlive(plan: ServicePlan, options: SupervisionOptions, life: Life, started: Started): Promise<void> {
  let shortLives = 0;
  while (!life.isStopping) {
    const bornAt = performance.now();
    const ended = await liveOnce(plan, options, life, started);
    if (life.isStopping || life.hasFailed) return;
    if (life.isRestartWanted) {
      life.isRestartWanted = false;
      shortLives = 0;
      continue;
    }
    shortLives = performance.now() - bornAt >= soundLifeMs ? 0 : shortLives + 1;
    const delayMs = restartDelayMs(Math.max(0, shortLives - 1));
    options.output.warn(`${plan.name} ended (${describeEnd(ended)}); it is started again in ${delayMs / 1_000} s`);
    life.wake = new AbortController();
    await delay(delayMs, undefined, { signal: life.wake.signal }).catch(() => undefined);
  }
}

/** From its start to its end, however that comes. */
async function liveOnce(plan: ServicePlan, options: SupervisionOptions, life: Life, started: Started): Promise<Ended> {
  const { name: service } = plan;
  const child = spawnService(plan, (line, stream, pid) => {
    options.output.relay(service, line);
    options.keeper.keep({ service, pid, stream, line });
  });
  life.child = child;
  life.pid = child.pid;
  const isHealthy = await becomesHealthy(child, plan.url, healthTimeoutMs);
  if (isHealthy) {
    started.resolve();
    options.onHealthy();
  } else child.kill();
  const ended = await child.exited;
  life.child = null;
  options.keeper.ended(service, child.pid, ended, life.isStopping || life.isRestartWanted);
  life.hasEverStarted ||= isHealthy;
  if (!life.hasEverStarted && !options.keepTrying) {
    // Whoever starts the fleet gives up on it: a second try would fail in the same way.
    life.hasFailed = true;
    started.reject(explainStart(plan, child, ended));
  }
  return ended;
}

function describeEnd({ code, signal }: Ended): string {
  return signal ? `by ${signal}` : `exit code ${code}`;
}

function explainStart(plan: ServicePlan, child: Child, ended: Ended): SetupError {
  const said = child.lastLines().map((line) => line.trim());
  // An uncaught error ends with its stack; what it says stands before.
  const reason = said.findLast((line) => /error/i.test(line) && !line.startsWith("at ")) ?? said.at(-1);
  return new SetupError(
    `${plan.name} does not start (${describeEnd(ended)}): ${reason ?? "it said nothing"}; its lines above say more`,
  );
}
