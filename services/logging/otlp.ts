/**
 * Log records as any OpenTelemetry exporter sends them (OTLP/HTTP, JSON), turned into ours. What has no place of its own is kept
 * in `data`: attributes by their names, the rest of the resource under `resource`, the scope's name under `scope`.
 *
 * @see https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding and opentelemetry/proto/logs/v1/logs.proto
 */
import { type LogLevel, logLevels } from "@signalbox/common/contracts/log.ts";

export type OtlpRecord = {
  /** What `POST /log` would have been sent, not yet checked. */
  input: Record<string, unknown>;
  /** Null when the record says no time. */
  atMs: number | null;
  /**
   * All that tells it from another record. OTLP has no ids, and an exporter whose answer was lost sends the same request again:
   * an id made of this is the same then. Two equal records of one request differ by their place in it.
   */
  content: string;
};

type Json = Record<string, unknown>;

/** The longest name of a service that a record may have. */
const serviceMax = 100;

/** Whatever is not where it should be is left out: the one who is told of a wrong shape is a library, and cannot mend it. */
export function toOtlpRecords(body: unknown): OtlpRecord[] {
  const records: OtlpRecord[] = [];
  for (const [resourceAt, { resource, scopeLogs }] of listOf(body, "resourceLogs").entries()) {
    const about = toAttributes(recordOf(resource).attributes);
    for (const [scopeAt, { scope, logRecords }] of listOf({ scopeLogs }, "scopeLogs").entries()) {
      for (const [at, found] of listOf({ logRecords }, "logRecords").entries()) {
        const scopeName = recordOf(scope).name;
        const content = JSON.stringify([resourceAt, scopeAt, at, about, scopeName, found]);
        records.push({ content, ...toInput(found, about, typeof scopeName === "string" ? scopeName : "") });
      }
    }
  }
  return records;
}

function toInput(found: Json, about: Json, scope: string): Omit<OtlpRecord, "content"> {
  const { "service.name": name, ...resource } = about;
  const attributes = toAttributes(found.attributes);
  const body = toValue(found.body);
  const { spanId, eventName } = found;
  const atMs = toMs(found.timeUnixNano) ?? toMs(found.observedTimeUnixNano);
  const data = {
    ...attributes,
    ...(typeof body !== "string" && body !== null && { body }),
    ...(isId(spanId, 16) && { spanId: spanId.toLowerCase() }),
    ...(isText(eventName) && { eventName }),
    ...(Object.keys(resource).length > 0 && { resource }),
    ...(scope !== "" && { scope }),
  };
  const input = {
    level: toLevel(found.severityNumber, found.severityText),
    service: isText(name) ? name.slice(0, serviceMax) : "unknown",
    message: toMessage(body, eventName),
    traceId: isId(found.traceId, 32) ? found.traceId.toLowerCase() : null,
    correlationId: idOf(attributes, "correlationId", "correlation_id", "signalbox.correlation_id"),
    taskId: idOf(attributes, "taskId", "task_id", "signalbox.task_id"),
    data,
  };
  return { input: atMs === null ? input : { ...input, at: new Date(atMs).toISOString() }, atMs };
}

function toMessage(body: unknown, eventName: unknown): string {
  if (typeof body === "string") return body;
  return isText(eventName) ? eventName : (JSON.stringify(body) ?? "");
}

/** 1 to 24, four numbers a level; 0 or nothing when only the text says it. */
function toLevel(number: unknown, text: unknown): LogLevel {
  const severity = typeof number === "number" && number >= 1 && number <= 24 ? number : 0;
  const byNumber = logLevels[Math.floor((severity - 1) / 4)];
  if (byNumber) return byNumber;
  const word = typeof text === "string" ? text.toLowerCase().replace("warning", "warn") : "";
  return logLevels.find((level) => word.startsWith(level)) ?? "info";
}

/** Nanoseconds as the text of a 64-bit number; 0 means that it is not known. */
function toMs(nanos: unknown): number | null {
  const text = typeof nanos === "number" ? nanos.toFixed(0) : nanos;
  if (typeof text !== "string" || !/^[0-9]{1,20}$/.test(text)) return null;
  const ms = Number(text.slice(0, -6));
  return ms > 0 && ms < lastInstantMs ? ms : null;
}

const lastInstantMs = Date.parse("9999-12-31T23:59:59.999Z");

function toAttributes(list: unknown): Json {
  return Object.fromEntries(
    listOf({ list }, "list").flatMap(({ key, value }) => (isText(key) ? [[key, toValue(value)]] : [])),
  );
}

/** The one member of an AnyValue, as plain JSON. Depth is bounded by what was parsed. */
function toValue(any: unknown): unknown {
  const { stringValue, boolValue, intValue, doubleValue, arrayValue, kvlistValue, bytesValue } = recordOf(any);
  if (intValue !== undefined) return toNumber(intValue);
  if (arrayValue !== undefined) return arrayOf(recordOf(arrayValue).values).map(toValue);
  if (kvlistValue !== undefined) return toAttributes(recordOf(kvlistValue).values);
  return stringValue ?? boolValue ?? doubleValue ?? bytesValue ?? null;
}

/** 64-bit numbers come as text; one that a double cannot hold stays one. */
function toNumber(value: unknown): unknown {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function idOf(attributes: Json, ...names: string[]): unknown {
  const found = names.map((name) => attributes[name]).find(isText);
  return found ?? null;
}

function isId(value: unknown, length: number): value is string {
  return typeof value === "string" && value.length === length && /^[0-9a-f]+$/i.test(value) && !/^0+$/.test(value);
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

function listOf(parent: unknown, name: string): Json[] {
  return arrayOf(recordOf(parent)[name]).map(recordOf);
}

function arrayOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function recordOf(value: unknown): Json {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : {};
}
