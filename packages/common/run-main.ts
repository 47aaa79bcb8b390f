import type { Logger } from "pino";
import type { Static, TObject, TProperties } from "typebox";
import type { ConfigReport } from "./contracts/service.ts";
import { withDeadline } from "./drain.ts";
import { buildConfigReport, ConfigError, type Env, ensureConfig, type SettingsSchema } from "./settings.ts";

/** What `runMain` runs. */
export type Service = {
  /** resolves when the service listens */
  start(): Promise<void>;
  /** stops taking work, finishes or hands back what is under way, flushes the log */
  stop(): Promise<void>;
  /** where a crash is told before the process ends; without one it goes to stderr alone */
  logs?: { log: Pick<Logger, "fatal">; flush(): Promise<void> };
};

type Build<P extends TProperties> = (
  settings: Static<TObject<P>>,
  report: () => ConfigReport,
) => Promise<Service> | Service;

const stopDeadlineMs = 25_000;
const flushDeadlineMs = 2_000;

/**
 * The whole of a `main.ts`: settings, start, signals, exit code.
 *
 * Exits 1 when a setting is bad (every bad key on stderr, no values), when starting fails, or when an error escapes;
 * 0 after SIGTERM or SIGINT once `stop` is done, 1 if that takes more than 25 s or a later signal insists. A service
 * that was started by a supervisor (with an IPC channel) stops when the supervisor is gone, so that a SIGKILLed
 * supervisor leaves no orphans behind.
 */
export async function runMain<P extends TProperties>(
  schema: SettingsSchema<P>,
  env: Env,
  build: Build<P>,
): Promise<void> {
  surviveBrokenPipes();
  let service: Service | null = null;
  const crash = once((error: unknown) => reportCrash(schema.service, service, error));
  process.on("uncaughtException", crash);
  process.on("unhandledRejection", crash);
  try {
    const settings = ensureConfig(schema, env);
    service = await build(settings, () => buildConfigReport(schema, env));
  } catch (error) {
    if (error instanceof ConfigError) refuseConfig(schema.service, error);
    else await crash(error);
    return;
  }
  stopOnSignals(service, crash);
  await service.start().then(dropBootGarbage, crash);
}

/**
 * Loading a program leaves some 10 MB behind that a service at rest would keep for hours, because it makes too little garbage for
 * anybody to look. Where the process may (`--expose-gc`, as a fleet starts it), it looks once, for some 50 ms, before much is asked of it.
 */
function dropBootGarbage(): void {
  globalThis.gc?.({ type: "major", execution: "sync", flavor: "last-resort" });
}

function refuseConfig(service: string, { problems }: ConfigError): void {
  const lines = problems.map(({ key, message }) => `  ${key} ${message}`);
  const text = `${service} cannot start, its settings are not right:\n${lines.join("\n")}\n`;
  // Only once the text is out: `exit` would cut it off a pipe.
  process.stderr.write(text, () => process.exit(1));
}

/** A terminal tells the whole process group and a supervisor tells its children: one wish may arrive twice. */
const sameWishMs = 2_000;

function stopOnSignals(service: Service, crash: (error: unknown) => Promise<void>): void {
  let stoppingSince: number | null = null;
  function stop(): void {
    const now = performance.now();
    if (stoppingSince === null) {
      stoppingSince = now;
      withDeadline(service.stop(), stopDeadlineMs, "stopping").then(() => process.exit(0), crash);
    } else if (now - stoppingSince > sameWishMs) process.exit(1);
  }
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  process.once("disconnect", () => {
    if (stoppingSince === null) stop();
  });
}

async function reportCrash(name: string, service: Service | null, error: unknown): Promise<void> {
  process.exitCode = 1;
  try {
    if (service?.logs) {
      service.logs.log.fatal({ err: error }, "the process ends because of an error that nothing caught");
      await withDeadline(service.logs.flush(), flushDeadlineMs, "flushing the log");
    } else process.stderr.write(`${name} ended: ${error instanceof Error ? error.stack : String(error)}\n`);
  } finally {
    process.exit(1);
  }
}

/** A crash while a crash is being told must not begin another round. */
function once(report: (error: unknown) => Promise<void>): (error: unknown) => Promise<void> {
  let first: Promise<void> | null = null;
  return (error) => {
    first ??= report(error);
    return first;
  };
}

/** When whoever reads our output dies, writing fails with EPIPE; the service has better reasons to live or to stop. */
function surviveBrokenPipes(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error) => {
      if (!("code" in error) || error.code !== "EPIPE") throw error;
    });
  }
}
