import { type Static, Type } from "typebox";

/** A wait has a top, so that a typing error does not hold a run for a month. */
const maxDelayMs = 3_600_000;

const knobs = {
  delayMs: Type.Optional(
    Type.Integer({ minimum: 0, maximum: maxDelayMs, description: "answer only after this time, in ms" }),
  ),
  failTimes: Type.Optional(
    Type.Integer({ minimum: 0, maximum: 100, description: "answer 503 until this many attempts have been made" }),
  ),
  failPermanently: Type.Optional(
    Type.Union([Type.Boolean(), Type.String({ minLength: 1, maxLength: 2_000 })], {
      description: "true or a message: answer 422, which fails the task for good",
    }),
  ),
  progressSteps: Type.Optional(
    Type.Integer({ minimum: 0, maximum: 1_000, description: "report progress this many times, evenly over delayMs" }),
  ),
  defer: Type.Optional(Type.Boolean({ description: "answer 202 and end the task later with a PATCH" })),
};

export type Knobs = Static<typeof Knobs>;
const Knobs = Type.Object(knobs, { additionalProperties: true });

/** Any JSON is echoed; the members that are knobs must be good ones. */
export const EchoPayload = Type.Unsafe<unknown>({
  description: "Any JSON, which comes back. Members of an object that try out a task's lifecycle:",
  // Without a `type` the members are only judged when there is an object; every other JSON passes.
  properties: Object.fromEntries(Object.entries(knobs).map(([key, schema]) => [key, { ...schema }])),
});

/** The knobs of a payload that `EchoPayload` has accepted; of anything but an object there are none. */
export function knobsOf(payload: unknown): Knobs {
  return payload !== null && typeof payload === "object" && !Array.isArray(payload) ? (payload as Knobs) : {};
}

export type Step = { afterMs: number; percent: number };

/** When to report progress: evenly spread, the last report at the end of the delay. */
export function planSteps({ delayMs = 0, progressSteps = 0 }: Knobs): Step[] {
  return Array.from({ length: progressSteps }, (_, index) => ({
    afterMs: Math.round((delayMs * (index + 1)) / progressSteps) - Math.round((delayMs * index) / progressSteps),
    percent: Math.round((100 * (index + 1)) / progressSteps),
  }));
}

/** The text of a message, for the chat and the command line: `text` of an object, a text itself, or all of it as JSON. */
export function textOf(payload: unknown): string {
  if (typeof payload === "string") return payload;
  const { text } = knobsOf(payload) as { text?: unknown };
  return typeof text === "string" ? text : JSON.stringify(payload ?? null);
}

/**
 * The payload that may be shown. The original of a signal is for the agent's eyes only, and what is answered is shown to
 * everybody, so it is not mirrored; in a plain `echo` task a member `raw` is the caller's own.
 */
export function withoutOriginal({ type, payload }: { type: string; payload: unknown }): unknown {
  if (typeof payload !== "object" || payload === null || !("raw" in payload)) return payload;
  if (type === "echo" && !("schema_version" in payload)) return payload;
  const { raw: _original, ...shown } = payload;
  return shown;
}
