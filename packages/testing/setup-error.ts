/**
 * Something outside the program must change before it can go on: a busy port, a full disk, a folder that cannot be
 * entered. The message is one sentence for a person and says what to do; it is shown without a stack.
 */
export class SetupError extends Error {
  override name = "SetupError";
}

/** The code of a system error (`EACCES`, `ENOSPC`, …), null for anything else. */
export function systemCode(error: unknown): string | null {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : null;
}

/** What an unknown thrown thing says, for a line of text. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
