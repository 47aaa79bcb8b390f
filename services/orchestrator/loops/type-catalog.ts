/** The types that tasks may have: read when one is asked for, kept for some seconds, with their payload schemas compiled. */
import { invalidInput } from "@signalbox/common/errors.ts";
import { buildAjv, toProblems } from "@signalbox/common/validate.ts";
import { LRU } from "../lru.ts";
import type { Store } from "../store.ts";
import { type TypeEntry, toTypeEntries } from "../type-book.ts";
import type { Roster } from "./roster.ts";

const freshMs = 2_000;

export type TypeCatalog = {
  list(): Promise<TypeEntry[]>;
  /** Null: no agent has ever registered it. */
  find(type: string): Promise<TypeEntry | null>;
  /** @throws Error when it is no schema that can be used */
  ensureSchema(schema: Record<string, unknown>): void;
  /** @throws ApiError 400 when the type's schema refuses the payload */
  checkPayload(entry: TypeEntry, payload: unknown): void;
  forget(): void;
};

type Check = ReturnType<ReturnType<typeof buildAjv>["compile"]>;

export function buildTypeCatalog({ store, roster }: { store: Store; roster: Roster }): TypeCatalog {
  const known = new LRU<string, { entry: TypeEntry; at: number }>(1_000);
  const checks = new LRU<string, Check>(500);

  function checkOf(schema: Record<string, unknown>): Check {
    const text = JSON.stringify(schema);
    const check = checks.get(text) ?? compileSchema(schema);
    checks.set(text, check);
    return check;
  }

  const isLive = (agent: string, type: string) =>
    roster.agents().some((live) => live.name === agent && live.types.some((one) => one.type === type));

  return {
    async list() {
      return toTypeEntries(await store.listTypes(), isLive);
    },
    async find(type) {
      const kept = known.get(type);
      if (kept && performance.now() - kept.at < freshMs) return kept.entry;
      const [entry] = toTypeEntries(await store.listTypes(type), isLive);
      if (!entry) return null;
      known.set(type, { entry, at: performance.now() });
      return entry;
    },
    ensureSchema: (schema) => void checkOf(schema),
    checkPayload({ payloadSchema }, payload) {
      if (payloadSchema === null) return;
      const check = checkOf(payloadSchema);
      if (check(payload)) return;
      throw invalidInput(toProblems(check.errors).map(({ path, message }) => ({ path: `/payload${path}`, message })));
    },
    forget: () => known.clear(),
  };
}

const options = { allErrors: true, strict: false };
const shared = buildAjv(options);

/**
 * Others wrote it, so unknown keywords are let pass. An instance of Ajv costs milliseconds and a megabyte, so one is shared; a
 * schema with ids has one of its own, lest two agents' ids meet.
 *
 * @throws Error when it is no schema, or an asynchronous one, whose refusal would be a rejection that nobody awaits
 */
export function compileSchema(schema: Record<string, unknown>): Check {
  const hasIds = JSON.stringify(schema).includes('"$id":');
  const ajv = hasIds ? buildAjv(options) : shared;
  const check = ajv.compile(schema);
  // It remembers every schema that it compiled; this one is held by its caller.
  ajv.removeSchema(schema);
  if ("$async" in check) throw new Error("$async is not supported");
  return check;
}
