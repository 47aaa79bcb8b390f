/** What the blueprint says of one variable: a hash of its value, or null when any value is right. */
export type ExpectedVar = { key: string; hash: string | null };

export type EnvState = "same" | "differs" | "only_live" | "only_blueprint";

/**
 * How the variables of a service stand to its blueprint; by hashes, so that no value gets this far.
 *
 * @param live hashes by key
 * @returns in the order of the keys
 */
export function compareEnv(
  live: Readonly<Record<string, string>>,
  expected: readonly ExpectedVar[],
): { key: string; state: EnvState }[] {
  const wanted = new Map(expected.map(({ key, hash }) => [key, hash]));
  const keys = [...new Set([...Object.keys(live), ...wanted.keys()])].sort();
  return keys.map((key) => ({ key, state: judge(live[key], wanted.get(key)) }));
}

function judge(live: string | undefined, wanted: string | null | undefined): EnvState {
  if (wanted === undefined) return "only_live";
  if (live === undefined) return "only_blueprint";
  return wanted === null || wanted === live ? "same" : "differs";
}
