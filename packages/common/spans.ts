/**
 * Spans of the fleet's traces, sent to any OpenTelemetry collector (OTLP/HTTP, JSON): what each service was asked, each run of a
 * task, each call of an agent. They are a copy for those who have such a collector: nothing waits for them, what it does not take in
 * time is dropped and counted, and `GET /trace/:traceId` needs none of them.
 *
 * Our own few lines instead of the OpenTelemetry SDK: its dozen packages would be loaded by every process to make this one request.
 *
 * @see https://opentelemetry.io/docs/specs/otlp/#otlphttp-request and opentelemetry/proto/trace/v1/trace.proto
 */
import { createHash } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import type { Logger } from "pino";
import type { Span } from "./contracts/span.ts";

export type Spans = {
  /** Never throws and never waits. */
  record(span: Span): void;
  /** Sends what is left, for two seconds at the most. */
  close(): Promise<void>;
};

export type SpanOptions = {
  /** Base address of the collector; without one nothing is recorded. */
  endpoint: string | undefined;
  /** `name=value`, separated by commas, %-encoded: what the collector wants to know its sender by. */
  headers: string | undefined;
  service: string;
  version: string;
  instance: string;
  onDropped(count: number): void;
};

const queueMax = 4_096;
const batchMax = 512;
const gatherMs = 1_000;
const timeoutMs = 5_000;
const retryMinMs = 1_000;
const retryMaxMs = 30_000;
const closeMs = 2_000;

export const noSpans: Spans = { record: () => undefined, close: async () => undefined };

export function buildSpans({ endpoint, ...options }: SpanOptions): Spans {
  return endpoint === undefined ? noSpans : new SpanExport({ ...options, url: toTracesUrl(endpoint) });
}

type SpanSettings = {
  OTEL_EXPORTER_OTLP_ENDPOINT?: string | undefined;
  OTEL_EXPORTER_OTLP_HEADERS?: string | undefined;
};

/** As a service's settings say; what is dropped is told to its log. */
export function openSpans(
  settings: SpanSettings,
  about: Pick<SpanOptions, "service" | "version" | "instance">,
  log: Pick<Logger, "warn">,
): Spans {
  return buildSpans({
    ...about,
    endpoint: settings.OTEL_EXPORTER_OTLP_ENDPOINT,
    headers: settings.OTEL_EXPORTER_OTLP_HEADERS,
    onDropped: (count) => log.warn({ count }, "spans were dropped: OTEL_EXPORTER_OTLP_ENDPOINT does not take them"),
  });
}

/** Unix time in ms, finer than `Date.now()` and steady within a process. */
export function spanClock(): number {
  return performance.timeOrigin + performance.now();
}

/** The span id of something that has an id of its own: whoever knows the thing knows its span. */
export function spanIdOf(id: string): string {
  return createHash("sha256").update(id).digest("hex").slice(0, 16);
}

function toTracesUrl(endpoint: string): string {
  return `${endpoint.replace(/\/+$/, "")}/v1/traces`;
}

class SpanExport implements Spans {
  readonly #options: Omit<SpanOptions, "endpoint"> & { url: string };
  readonly #headers: Record<string, string>;
  readonly #ending = new AbortController();
  #queue: Span[] = [];
  #dropped = 0;
  #endsAt = Number.POSITIVE_INFINITY;
  #sending: Promise<void> | null = null;

  constructor(options: Omit<SpanOptions, "endpoint"> & { url: string }) {
    this.#options = options;
    this.#headers = { "content-type": "application/json", ...parseHeaders(options.headers ?? "") };
  }

  record(span: Span): void {
    if (this.#queue.length >= queueMax || this.#ending.signal.aborted) this.#dropped++;
    else this.#queue.push(span);
    this.#sending ??= this.#send().finally(() => {
      this.#sending = null;
    });
  }

  async close(): Promise<void> {
    this.#endsAt = performance.now() + closeMs;
    this.#ending.abort();
    await this.#sending;
  }

  /** Until nothing is left; the first moments gather what comes together. */
  async #send(): Promise<void> {
    await this.#rest(gatherMs);
    let retryMs = retryMinMs;
    while (this.#queue.length > 0 && performance.now() < this.#endsAt) {
      const batch = this.#queue.slice(0, batchMax);
      const outcome = await this.#post(batch);
      if (outcome === "later" && !this.#ending.signal.aborted) {
        await this.#rest(retryMs * (0.5 + 0.5 * Math.random()));
        retryMs = Math.min(retryMs * 2, retryMaxMs);
        continue;
      }
      retryMs = retryMinMs;
      this.#queue.splice(0, batch.length);
      if (outcome !== "taken") this.#dropped += batch.length;
      this.#tellDropped();
    }
    this.#dropped += this.#queue.length;
    this.#queue = [];
    this.#tellDropped();
  }

  async #post(batch: readonly Span[]): Promise<"taken" | "refused" | "later"> {
    try {
      const response = await fetch(this.#options.url, {
        method: "POST",
        headers: this.#headers,
        body: JSON.stringify(toRequest(batch, this.#options)),
        redirect: "error",
        signal: AbortSignal.timeout(this.#ending.signal.aborted ? closeMs : timeoutMs),
      });
      await response.body?.cancel();
      if (response.ok) return "taken";
      return [429, 502, 503, 504].includes(response.status) ? "later" : "refused";
    } catch {
      return "later";
    }
  }

  async #rest(ms: number): Promise<void> {
    await pause(ms, undefined, { signal: this.#ending.signal, ref: false }).catch(() => undefined);
  }

  #tellDropped(): void {
    const dropped = this.#dropped;
    this.#dropped = 0;
    if (dropped > 0) this.#options.onDropped(dropped);
  }
}

function parseHeaders(text: string): Record<string, string> {
  const pairs = text.split(",").map((pair) => pair.split("="));
  return Object.fromEntries(
    pairs.flatMap(([name = "", ...value]) =>
      name.trim() === "" ? [] : [[name.trim().toLowerCase(), decode(value.join("=").trim())]],
    ),
  );
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const kinds = { internal: 1, server: 2, client: 3 } as const;
const failed = 2;

function toRequest(batch: readonly Span[], { service, version, instance }: Omit<SpanOptions, "endpoint">) {
  const about = { "service.name": service, "service.version": version, "service.instance.id": instance };
  const spans = batch.map(({ startMs, endMs, kind, attributes, parentSpanId, error, ...span }) => ({
    ...span,
    ...(parentSpanId !== null && { parentSpanId }),
    kind: kinds[kind],
    startTimeUnixNano: toNanos(startMs),
    endTimeUnixNano: toNanos(Math.max(startMs, endMs)),
    attributes: toAttributes(attributes),
    ...(error !== null && { status: { code: failed, message: error } }),
  }));
  return {
    resourceSpans: [
      { resource: { attributes: toAttributes(about) }, scopeSpans: [{ scope: { name: "signalbox" }, spans }] },
    ],
  };
}

/** 64-bit numbers travel as text. */
function toNanos(ms: number): string {
  return `${Math.round(ms * 1_000)}000`;
}

function toAttributes(attributes: Span["attributes"]) {
  return Object.entries(attributes).map(([key, value]) => ({ key, value: toAnyValue(value) }));
}

function toAnyValue(value: string | number | boolean) {
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "boolean") return { boolValue: value };
  return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value };
}
