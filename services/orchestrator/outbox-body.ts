/* What a subscriber is sent: an event and its task as a frame shows them, small enough for any receiver. */
import type { TaskEvent } from "@signalbox/common/contracts/event.ts";
import type { Task } from "@signalbox/common/contracts/task.ts";

/** Standard Webhooks asks for messages below about 20 kB. */
export const maxBodyBytes = 20_000;
const keptCharacters = 500;

/** A member that may be large: the object that holds it, and its name there. */
type Place = { holder: Record<string, unknown>; key: string };

/**
 * The body of an event as JSON, at most `maxBodyBytes`. What makes it too large is cut, the largest first: a text keeps its beginning,
 * anything else becomes `{"cut":true,"bytes":…,"whole":"<url>"}`.
 *
 * @param publicUrl of this orchestrator, where the whole can be fetched
 */
export function toBody({ event, task }: { event: TaskEvent; task: Task }, publicUrl: string): string {
  const message = { type: `task.${event.kind}`, timestamp: event.at, data: { event, task } };
  const text = JSON.stringify(message);
  const excess = Buffer.byteLength(text) - maxBodyBytes;
  if (excess <= 0) return text;
  const whole = `${publicUrl.replace(/\/+$/, "")}/task/${task.id}`;
  const data = copy(event, task);
  const left = cutLargest(listPlaces(data), excess, whole);
  // Very many small members, none of them worth a cut.
  const shown = left <= 0 ? data : { ...data, event: { ...event, data: toMark(event.data, whole) } };
  return JSON.stringify({ ...message, data: shown });
}

/** So deep that every place can be changed without changing what others hold. */
function copy(event: TaskEvent, task: Task) {
  const { changes } = event.data;
  return {
    event: { ...event, data: { ...event.data, ...(isObject(changes) && { changes: { ...changes } }) } },
    task: {
      ...task,
      error: task.error && { ...task.error },
      approval: task.approval && { ...task.approval },
      progress: task.progress && { ...task.progress },
    },
  };
}

function listPlaces({ event, task }: ReturnType<typeof copy>): Place[] {
  const of = (holder: unknown, keys: readonly string[]): Place[] =>
    isObject(holder) ? keys.filter((key) => Object.hasOwn(holder, key)).map((key) => ({ holder, key })) : [];
  const { changes, ...data } = event.data as Record<string, unknown>;
  return [
    ...of(event.data, Object.keys(data)),
    ...(isObject(changes) ? of(changes, Object.keys(changes)) : of(event.data, ["changes"])),
    ...of(task, ["payload", "result"]),
    ...of(task.error, ["message", "details"]),
    ...of(task.approval, ["reason", "prompt"]),
    ...of(task.progress, ["message"]),
  ];
}

/** The bytes that are still too many. */
function cutLargest(places: Place[], excess: number, whole: string): number {
  const sized = places.map(({ holder, key }) => {
    const mark = toMark(holder[key], whole);
    return { holder, key, mark, saved: sizeOf(holder[key]) - sizeOf(mark) };
  });
  let left = excess;
  for (const { holder, key, mark, saved } of sized.sort((a, b) => b.saved - a.saved)) {
    if (left <= 0 || saved <= 0) break;
    holder[key] = mark;
    left -= saved;
  }
  return left;
}

/** A text stays a text, so that it keeps its meaning to whoever reads it; its type may be all that a program knows. */
function toMark(value: unknown, whole: string): string | { cut: true; bytes: number; whole: string } {
  if (typeof value !== "string") return { cut: true, bytes: sizeOf(value), whole };
  return `${value.slice(0, keptCharacters).toWellFormed()}… [cut: ${Buffer.byteLength(value)} bytes, whole at ${whole}]`;
}

function sizeOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value) ?? "");
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
