import { createHash } from "node:crypto";
import { LogReceipt } from "@signalbox/common/contracts/log.ts";
import { OutcomeInput, OutcomeList, OutcomeQuery, SignatureList } from "@signalbox/common/contracts/outcome.ts";
import { decodeCursor, encodeCursor } from "@signalbox/common/cursor.ts";
import { invalidInput, invalidRequest } from "@signalbox/common/errors.ts";
import { parseJson } from "@signalbox/common/json.ts";
import { defineRoute } from "@signalbox/common/route.ts";
import { compileCheck } from "@signalbox/common/validate.ts";
import { Type } from "typebox";
import type { Context } from "../context.ts";
import { mergeParts, type NewOutcome, type OutcomeTools, toOutcome, toTaskFilter } from "../outcome.ts";
import { readEach } from "./read-records.ts";
import { takeRecords } from "./take-records.ts";

const check = compileCheck(OutcomeInput);

export const postOutcome = ({ store, hide }: Context) =>
  defineRoute({
    method: "POST",
    path: "/event",
    auth: "any",
    summary:
      "Stores what became of an attempt: one outcome, an array, or lines of JSON; answers once they are committed",
    body: Type.Union([OutcomeInput, Type.Array(OutcomeInput)]),
    bodyTypes: ["application/json", "application/x-ndjson"],
    bodyUnparsed: true,
    bodyBudgetBytes: 4_194_304,
    maxInFlight: 100,
    replies: { 202: LogReceipt },
    async handle({ rawBody, contentType }) {
      if (rawBody.length === 0)
        throw invalidRequest("", "has no body; send source, cycle_id, sig_hash, event_kind and ok");
      const tools = { now: new Date().toISOString(), hide, idOf };
      const chunks = readEach(rawBody, contentType, (slice) => readOutcome(slice, tools));
      const insert = async (rows: readonly NewOutcome[]) => {
        if (rows.length > 0) await store.insertOutcomes(rows);
        return rows.map(() => null);
      };
      return { status: 202, body: await takeRecords(insert, chunks) };
    },
  });

function readOutcome(slice: Uint8Array, tools: OutcomeTools): NewOutcome {
  const value = parseJson(slice);
  const problems = check(value, slice.length);
  if (problems) throw invalidInput(problems);
  return toOutcome(value as OutcomeInput, tools);
}

/** A UUID of version 8: its bits are ours to choose. */
function idOf(content: string): string {
  const hex = createHash("sha256").update(content).digest("hex");
  const variant = (0x8 | (Number.parseInt(hex[16] ?? "0", 16) & 0x3)).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

const defaultLimit = 100;
/** Above every number that was drawn. */
const start = Number.MAX_SAFE_INTEGER;

export const listOutcomes = ({ store }: Context) =>
  defineRoute({
    method: "GET",
    path: "/events",
    auth: "any",
    summary:
      "What became of observers' cycles and of tasks, newest first; a task's source is task or schedule, its sig_hash task:<type>",
    query: OutcomeQuery,
    replies: { 200: OutcomeList },
    maxInFlight: 20,
    async handle({ query: { cursor, limit = defaultLimit, ...filter } }) {
      const [outcome, task] = cursor === undefined ? [start, start] : decodeCursor(cursor, ["integer", "integer"]);
      const tasks = toTaskFilter(filter);
      const nothing = { rows: [], scannedTo: null };
      const [outcomes, ends] = await Promise.all([
        outcome === 0 ? nothing : store.listOutcomes({ filter, below: outcome, limit: limit + 1 }),
        tasks === null || task === 0
          ? nothing
          : store.listTaskOutcomes({ filter, below: task, limit: limit + 1 }, tasks),
      ]);
      const { items, next } = mergeParts({ outcome: outcomes, task: ends }, limit, { outcome, task });
      return { status: 200, body: { items, nextCursor: next && encodeCursor([next.outcome, next.task]) } };
    },
  });

export const listSignatures = ({ store }: Context) =>
  defineRoute({
    method: "GET",
    path: "/events/signatures",
    auth: "any",
    summary: "Observers' outcomes by sig_hash: how many, the last one, success rate and trend; the latest first",
    query: OutcomeQuery,
    replies: { 200: SignatureList },
    maxInFlight: 4,
    async handle({ query: { cursor, limit = defaultLimit, ...filter } }) {
      const [below] = cursor === undefined ? [start] : decodeCursor(cursor, ["integer"]);
      const found = await store.listSignatures({ filter, below, limit: limit + 1 });
      const page = found.slice(0, limit);
      const last = found.length > limit ? page.at(-1) : undefined;
      return {
        status: 200,
        body: { items: page.map(({ signature }) => signature), nextCursor: last ? encodeCursor([last.seq]) : null },
      };
    },
  });
