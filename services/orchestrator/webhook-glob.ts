/**
 * Names that people write with gaps: `acme/web-*`, `release/**`, `services/**\/*.ts`.
 *
 * `*` is any text within one segment, `**` any text, `**\/` any folders or none, `?` one character of a segment. Nothing
 * else is special, and there is no way back: the pattern is walked as a set of places, one step a character, so no name can
 * make it slow.
 */
export type Glob = (name: string) => boolean;

/** Git's refs and a system's paths end here; what is longer is no name, and matches nothing. */
const maxNameLength = 4_096;

type Step =
  | { kind: "literal"; char: string }
  /** one character of a segment */
  | { kind: "one" }
  /** any characters, of a segment only unless `isDeep` */
  | { kind: "run"; isDeep: boolean }
  /** may be left out together with the step after it */
  | { kind: "folders" }
  /** any characters up to some slash */
  | { kind: "inside" };

export function compileGlob(pattern: string): Glob {
  if (!/[*?]/.test(pattern)) return (name) => name === pattern;
  const steps = toSteps(pattern);
  const head = toText(steps.slice(0, steps.findIndex(isGap)));
  const tail = toText(steps.slice(steps.findLastIndex(isGap) + 1));
  // Of the many files of a large push hardly any begins and ends as a pattern does; only those are walked.
  return (name) => name.length <= maxNameLength && name.startsWith(head) && name.endsWith(tail) && walk(steps, name);
}

function isGap({ kind }: Step): boolean {
  return kind !== "literal";
}

function toText(steps: readonly Step[]): string {
  return steps.map((step) => (step.kind === "literal" ? step.char : "")).join("");
}

function toSteps(pattern: string): Step[] {
  const parts = pattern.match(/\*\*\/|\*\*|./gsu) ?? [];
  return parts.flatMap((part): Step[] => {
    if (part === "**/") return [{ kind: "folders" }, { kind: "inside" }];
    if (part === "*" || part === "**") return [{ kind: "run", isDeep: part === "**" }];
    return [part === "?" ? { kind: "one" } : { kind: "literal", char: part }];
  });
}

function walk(steps: readonly Step[], name: string): boolean {
  let places = new Uint8Array(steps.length + 1);
  let next = new Uint8Array(steps.length + 1);
  enter(steps, places, 0);
  for (const char of name) {
    next.fill(0);
    let isAlive = false;
    for (let at = 0; at < steps.length; at++) {
      const step = steps[at];
      if (places[at] === 1 && step && advance(steps, next, { at, step, char })) isAlive = true;
    }
    if (!isAlive) return false;
    [places, next] = [next, places];
  }
  return places[steps.length] === 1;
}

type Move = { at: number; step: Step; char: string };

/** Where one character leads from one place; false when nowhere. */
function advance(steps: readonly Step[], next: Uint8Array, { at, step, char }: Move): boolean {
  const isSlash = char === "/";
  switch (step.kind) {
    case "literal":
      return step.char === char && enter(steps, next, at + 1);
    case "one":
      return !isSlash && enter(steps, next, at + 1);
    case "run":
      return (step.isDeep || !isSlash) && enter(steps, next, at);
    case "folders":
      return false;
    case "inside":
      if (isSlash) enter(steps, next, at + 1);
      next[at] = 1;
      return true;
  }
}

/** Stands at a place, and wherever it leads without a character. */
function enter(steps: readonly Step[], places: Uint8Array, at: number): true {
  if (places[at] === 1) return true;
  places[at] = 1;
  const step = steps[at];
  if (step?.kind === "run") enter(steps, places, at + 1);
  if (step?.kind === "folders") {
    enter(steps, places, at + 1);
    enter(steps, places, at + 2);
  }
  return true;
}
