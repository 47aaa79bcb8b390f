/* Read, compare with what the approver saw, write, read back. */
import type { Flag, Posthog } from "../clients/posthog.ts";
import { FlagConflictError } from "../flag-conflict.ts";
import { PosthogError } from "../posthog-failure.ts";

export type FlagWish = { flag: string; active: boolean; expected?: { active?: boolean; version?: number } };

/** @throws PosthogError, FlagConflictError */
export async function setFlag(
  posthog: Posthog,
  { flag: key, active, expected = {} }: FlagWish,
): Promise<{ before: Flag; after: Flag }> {
  const before = await posthog.findFlag(key);
  if (before === null) throw new PosthogError("wrong", `there is no feature flag ${key}`);
  const { active: wasActive, version } = before;
  const isOther =
    (expected.active !== undefined && expected.active !== wasActive) ||
    (expected.version !== undefined && version !== null && expected.version !== version);
  if (isOther && wasActive !== active) {
    throw new FlagConflictError(`The flag ${key} is not any more what was decided about.`, {
      active: wasActive,
      version,
    });
  }
  if (wasActive === active) return { before, after: before };
  await posthog.setFlag(before, active).catch((error: unknown) => {
    if (error instanceof PosthogError && error.status === 409) {
      throw new FlagConflictError(`The flag ${key} was changed by somebody else meanwhile.`, {
        active: null,
        version: null,
      });
    }
    throw error;
  });
  const after = await posthog.findFlag(key);
  if (after === null) throw new PosthogError("unknown", `the feature flag ${key} is gone after it was set`);
  return { before, after };
}
