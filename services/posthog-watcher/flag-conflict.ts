/** The flag is not what somebody decided about, so nothing was done. */
export class FlagConflictError extends Error {
  readonly found: { active: boolean | null; version: number | null };

  constructor(message: string, found: { active: boolean | null; version: number | null }) {
    super(message);
    this.name = "FlagConflictError";
    this.found = found;
  }
}
