import { lineOf, updateIdOf } from "./update.ts";

/**
 * Updates as the inbox keeps them, in the order of their numbers. What PostgreSQL cannot hold in JSON (NUL, half characters) is taken out:
 * one such text must not keep a whole batch from being stored.
 */
export function toNewUpdates(found: readonly unknown[]): { updateId: number; line: string; raw: unknown }[] {
  return found
    .flatMap((update) => {
      const updateId = updateIdOf(update);
      return updateId === null ? [] : [{ updateId, line: lineOf(update), raw: toStorable(update) }];
    })
    .sort((a, b) => a.updateId - b.updateId);
}

function toStorable(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_key, member: unknown) =>
      typeof member === "string" ? member.toWellFormed().replaceAll("\u0000", "") : member,
    ),
  );
}
