/** Judges payloads by schemas that others wrote: what they say is data, and may be foolish or meant to harm. */
import { createContext, Script } from "node:vm";
import type { ErrorDetail } from "@signalbox/common/errors.ts";
import { buildAjv, toProblems } from "@signalbox/common/validate.ts";

/** Null: the payload is fine. */
export type JudgePayload = (payload: unknown) => ErrorDetail[] | null;

type Check = ReturnType<ReturnType<typeof buildAjv>["compile"]>;

const quick = { allErrors: false, strict: false };
const thorough = { allErrors: true, strict: false };
// An instance costs milliseconds and a megabyte, so schemas share one.
const shared = { quick: buildAjv(quick), thorough: buildAjv(thorough) };

/** All problems are only collected for payloads of this size: a megabyte of wrong items has half a million. */
const thoroughBytes = 65_536;

/** Keywords whose work can grow with a power of the payload's size, or worse: their judging is timed. */
const costly = /"(?:pattern|patternProperties|uniqueItems|format|\$ref|\$dynamicRef)":/;
const maxJudgeMs = 250;

/** @throws Error when it is no schema, or an asynchronous one, whose refusal would be a rejection that nobody awaits */
export function compileSchema(schema: Record<string, unknown>): JudgePayload {
  const isCostly = costly.test(JSON.stringify(schema));
  const check = compile(schema, "quick");
  let collect: Check | null = null;
  return (payload) => {
    const isFine = run(check, payload, isCostly);
    if (isFine === null) return [{ path: "", message: "takes too long to be judged by the schema of its type" }];
    if (isFine) return null;
    if (JSON.stringify(payload).length > thoroughBytes) return toProblems(check.errors);
    collect ??= compile(schema, "thorough");
    return run(collect, payload, isCostly) === null ? toProblems(check.errors) : toProblems(collect.errors);
  };
}

function compile(schema: Record<string, unknown>, how: "quick" | "thorough"): Check {
  // One with ids has an instance of its own, lest the ids of two agents meet.
  const hasIds = JSON.stringify(schema).includes('"$id":');
  const ajv = hasIds ? buildAjv(how === "quick" ? quick : thorough) : shared[how];
  const check = ajv.compile(schema);
  // It remembers every schema that it compiled; this one is held by its caller.
  ajv.removeSchema(schema);
  if ("$async" in check) throw new Error("$async is not supported");
  return check;
}

const box: { check: Check | null; payload: unknown } = { check: null, payload: null };
const context = createContext(box);
const script = new Script("check(payload)");

/**
 * Null: it took too long, or the schema goes round in a circle that no payload ends. Only a script can be stopped in the middle of a
 * regular expression, and costs a quarter of a ms.
 */
function run(check: Check, payload: unknown, isTimed: boolean): boolean | null {
  try {
    if (!isTimed) return check(payload) as boolean;
    Object.assign(box, { check, payload });
    return script.runInContext(context, { timeout: maxJudgeMs }) as boolean;
  } catch (error) {
    if (isEndless(error)) return null;
    throw error;
  } finally {
    if (isTimed) Object.assign(box, { check: null, payload: null });
  }
}

/** Made in the context, it is no instance of our Error. */
function isEndless(error: unknown): boolean {
  if (typeof error !== "object" || error === null) return false;
  const [code, name] = ["code" in error ? error.code : null, "name" in error ? error.name : null];
  return code === "ERR_SCRIPT_EXECUTION_TIMEOUT" || name === "RangeError";
}
