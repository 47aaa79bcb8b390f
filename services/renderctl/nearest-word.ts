/** What people write who know another tool, or an older version of the format. */
const otherNames: Record<string, string> = {
  env: "runtime",
  environment: "envVars",
  environmentVariables: "envVars",
  publishPath: "staticPublishPath",
  publishDirectory: "staticPublishPath",
  publishDir: "staticPublishPath",
  rootDirectory: "rootDir",
  startCmd: "startCommand",
  buildCmd: "buildCommand",
  releaseCommand: "preDeployCommand",
  instances: "numInstances",
  replicas: "numInstances",
  version: "postgresMajorVersion",
  size: "sizeGB",
  secret: "sync",
};

/** The word of `known` that was probably meant; null when none is near. */
export function nearestWord(word: string, known: readonly string[]): string | null {
  const alias = Object.hasOwn(otherNames, word) ? otherNames[word] : undefined;
  if (alias !== undefined && known.includes(alias)) return alias;
  const [best] = known
    .map((candidate) => ({ candidate, distance: distance(word.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ candidate, distance: apart }) => apart <= Math.max(1, Math.floor(candidate.length / 4)))
    .sort((a, b) => a.distance - b.distance || (a.candidate < b.candidate ? -1 : 1));
  return best?.candidate ?? null;
}

const longest = 60;

/** Insertions, deletions and replacements. @see Levenshtein, 1966 */
function distance(a: string, b: string): number {
  if (a.length > longest || b.length > longest) return longest;
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (const [i, letter] of [...a].entries()) row = nextRow(row, i + 1, (j) => (b[j - 1] === letter ? 0 : 1));
  return row[b.length] ?? 0;
}

function nextRow(row: readonly number[], first: number, replacing: (at: number) => number): number[] {
  const next = [first];
  for (let j = 1; j < row.length; j++) {
    next.push(Math.min((row[j - 1] ?? 0) + replacing(j), (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
  }
  return next;
}
