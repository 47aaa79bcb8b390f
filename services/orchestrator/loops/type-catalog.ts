/** The types that tasks may have: read when one is asked for, kept for some seconds, with their payload schemas compiled. */
import { invalidInput } from "@signalbox/common/errors.ts";
import { LRU } from "../lru.ts";
import type { Store } from "../store.ts";
import { type TypeEntry, toTypeEntries } from "../type-book.ts";
import { compileSchema, type JudgePayload } from "./payload-schema.ts";
import type { Roster } from "./roster.ts";

const freshMs = 2_000;

export type TypeCatalog = {
  list(): Promise<TypeEntry[]>;
  /** Null: no agent has ever registered it. */
  find(type: string): Promise<TypeEntry | null>;
  /** @throws Error when it is no schema that can be used */
  ensureSchema(schema: Record<string, unknown>): void;
  /**
   * @param hidden JSON Pointers of secrets that are not shown here: what the schema says about their places is not asked
   * @throws ApiError 400 when the type's schema refuses the payload
   */
  checkPayload(entry: TypeEntry, payload: unknown, hidden?: readonly string[]): void;
  forget(): void;
};

export function buildTypeCatalog({ store, roster }: { store: Store; roster: Roster }): TypeCatalog {
  const known = new LRU<string, { entry: TypeEntry; at: number }>(1_000);
  const judges = new LRU<string, JudgePayload>(500);

  function judgeOf(schema: Record<string, unknown>): JudgePayload {
    const text = JSON.stringify(schema);
    const judge = judges.get(text) ?? compileSchema(schema);
    judges.set(text, judge);
    return judge;
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
    ensureSchema: (schema) => void judgeOf(schema),
    checkPayload({ payloadSchema }, payload, hidden = []) {
      if (payloadSchema === null) return;
      const found = judgeOf(payloadSchema)(payload) ?? [];
      const problems = found.filter(({ path }) => !hidden.some((pointer) => isOnTheWay(path, pointer)));
      if (problems.length === 0) return;
      throw invalidInput(problems.map(({ path, message }) => ({ path: `/payload${path}`, message })));
    },
    forget: () => known.clear(),
  };
}

/** One of the two places holds the other: a combination of schemas tells of a member at the place of the whole. */
function isOnTheWay(path: string, pointer: string): boolean {
  return `${pointer}/`.startsWith(`${path}/`) || path.startsWith(`${pointer}/`);
}
