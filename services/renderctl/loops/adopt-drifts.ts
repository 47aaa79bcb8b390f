import { ApiError } from "@signalbox/common/errors.ts";
import { readSpans } from "@signalbox/common/yaml-spans.ts";
import { type Adopted, type Adopting, adopt } from "../blueprint-adopt.ts";
import { diffAccount } from "../blueprint-diff.ts";
import type { Chosen } from "../blueprint-narrow.ts";
import { toUnifiedDiff } from "../text-diff.ts";
import type { Draft, Planner } from "./planner.ts";

/* Proposes a blueprint that takes what is live as it is. Nothing is written: neither the file nor anything of Render's. */

export type Adoption = Omit<Adopted, "text"> & { path: string; patch: string };
export type AdoptDrifts = (wanted: readonly Chosen[] | null, signal: AbortSignal) => Promise<Adoption>;

export function buildAdoption(planner: Planner): AdoptDrifts {
  return async (wanted, signal) => {
    const before = await planner.draft({ prune: false }, signal);
    const first = adopt(kitOf(planner, before), before.text, wanted);
    const strangers = first.adopted.filter(({ field }) => field === "").map(({ resource }) => resource);
    if (strangers.length === 0) return toAdoption(before, first);
    // What the file has not named before was not read whole: its variables come in once they are seen.
    const after = await planner.draft({ prune: false, text: first.text }, signal);
    const fresh = diffAccount(after.scene).filter(({ resource }) => strangers.includes(resource));
    const second = adopt(kitOf(planner, after), first.text, fresh);
    return toAdoption(before, {
      text: second.text,
      adopted: [...first.adopted, ...second.adopted],
      left: [...first.left, ...second.left],
    });
  };
}

function toAdoption({ path, text }: Draft, { text: next, adopted, left }: Adopted): Adoption {
  return { path, patch: toUnifiedDiff(path, text, next), adopted, left };
}

function kitOf(planner: Planner, { scene: { live, hash }, path }: Draft): Adopting {
  const parse = (text: string) => {
    try {
      return planner.parse(text, path);
    } catch (error) {
      if (error instanceof ApiError && error.code === "blueprint_invalid") return null;
      throw error;
    }
  };
  return { live, hash, parse, readSpans };
}
