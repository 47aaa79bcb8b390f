import type { EnvVar } from "./render-shapes.ts";

/** Names of variables by what becomes of them, in order; never a value. */
export type Merge = { set: string[]; unchanged: string[]; removed: string[] };

/**
 * What a change of variables comes to: only the named keys change, and with `clear` the others go.
 *
 * @param live as they are
 * @param env the named keys and their values
 */
export function planMerge(live: readonly EnvVar[], env: Readonly<Record<string, string>>, clear: boolean): Merge {
  const now = new Map(live.map(({ key, value }) => [key, value]));
  const named = Object.keys(env).sort();
  return {
    set: named.filter((key) => now.get(key) !== env[key]),
    unchanged: named.filter((key) => now.get(key) === env[key]),
    removed: clear ? [...now.keys()].filter((key) => !Object.hasOwn(env, key)).sort() : [],
  };
}
