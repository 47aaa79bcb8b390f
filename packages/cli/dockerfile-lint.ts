/*
 * What is known to go wrong with container build files, found without a daemon; the rules are hadolint's (https://github.com/hadolint/hadolint)
 * that apply here, by their numbers.
 */

type Instruction = { line: number; name: string; rest: string };

/** A line for each broken rule, such as `9: DL3006 …`. */
export function lintDockerfile(text: string): string[] {
  const all = parse(text);
  return [...all.flatMap((one) => judgeOne(one, all)), ...judgeWhole(all)].map(({ line, why }) => `${line}: ${why}`);
}

function parse(text: string): Instruction[] {
  const found: Instruction[] = [];
  let open: Instruction | null = null;
  for (const [index, raw] of text.split("\n").entries()) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) continue;
    const [, name = "", rest = ""] = /^(\S+)\s*(.*)$/.exec(line) ?? [];
    if (open) open.rest += ` ${line.replace(/\\$/, "")}`;
    else found.push({ line: index + 1, name: name.toUpperCase(), rest: rest.replace(/\\$/, "") });
    open = line.endsWith("\\") ? (found.at(-1) ?? null) : null;
  }
  return found;
}

type Broken = { line: number; why: string };

const known = [
  "FROM",
  "ARG",
  "ENV",
  "WORKDIR",
  "RUN",
  "COPY",
  "USER",
  "EXPOSE",
  "CMD",
  "ENTRYPOINT",
  "LABEL",
  "HEALTHCHECK",
  "STOPSIGNAL",
];

function judgeOne({ line, name, rest }: Instruction, all: readonly Instruction[]): Broken[] {
  const say = (isBroken: boolean, why: string) => (isBroken ? [{ line, why }] : []);
  const rules: Record<string, () => Broken[]> = {
    FROM: () => judgeFrom({ line, rest }, all),
    WORKDIR: () => say(!rest.startsWith("/"), "DL3000 WORKDIR must be absolute"),
    RUN: () => [
      ...say(/\bsudo\b/.test(rest), "DL3004 no sudo"),
      ...say(/npm install --global (?!\S+@\d)/.test(rest), "DL3016 pin what npm installs"),
      ...say(/\bcd\s+\//.test(rest), "DL3003 WORKDIR instead of cd"),
    ],
    CMD: () => say(!/^\[.*\]$/.test(rest), "DL3025 CMD in the form of a list, so that signals arrive"),
    ENV: () => say(/(?:PASS|SECRET|TOKEN|KEY)\w*=/.test(rest), "a secret must not be in an image"),
    ARG: () => say(/(?:PASS|SECRET|TOKEN|KEY)/.test(rest), "a secret must not be in the history of an image"),
    EXPOSE: () => say(!/^\d+$/.test(rest) || Number(rest) > 65_535, "DL3011 a port from 0 to 65535"),
  };
  return [
    ...say(!known.includes(name), `${name} is not to be used (DL3020: COPY, not ADD)`),
    ...(rules[name]?.() ?? []),
  ];
}

function judgeFrom({ line, rest }: { line: number; rest: string }, all: readonly Instruction[]): Broken[] {
  const [image = "", , stage] = rest.split(/\s+/);
  const isStage = all.some((one) => one.name === "FROM" && one.line < line && one.rest.endsWith(` AS ${image}`));
  const [, tag = ""] = /:([^:/]+)$/.exec(image) ?? [];
  const broken: Broken[] = [];
  if (!isStage && !/^\d+\.\d+\.\d+/.test(tag)) broken.push({ line, why: `DL3006 ${image} needs a whole version` });
  const same = all.filter((one) => one.name === "FROM" && stage !== undefined && one.rest.endsWith(` AS ${stage}`));
  if (same.length > 1) broken.push({ line, why: `DL3024 two stages are called ${stage}` });
  return broken;
}

function judgeWhole(all: readonly Instruction[]): Broken[] {
  const last = all.findLastIndex(({ name }) => name === "FROM");
  const end = all.slice(last);
  const line = end[0]?.line ?? 1;
  const user = end.findLast(({ name }) => name === "USER")?.rest ?? "root";
  const stages = all.flatMap(({ name, rest }) => (name === "FROM" ? (/ AS (\S+)$/.exec(rest)?.[1] ?? []) : []));
  const unknown = all.filter(
    ({ name, rest }) => name === "COPY" && !stages.includes(/--from=(\S+)/.exec(rest)?.[1] ?? stages[0] ?? ""),
  );
  return [
    ...(all[0]?.name === "FROM" || all[0]?.name === "ARG" ? [] : [{ line: 1, why: "DL3061 begins with FROM" }]),
    ...(/^(?:root|0)\b/.test(user) ? [{ line, why: "DL3002 the last user is root" }] : []),
    ...(end.filter(({ name }) => name === "CMD").length === 1 ? [] : [{ line, why: "DL4003 exactly one CMD" }]),
    ...unknown.map((one) => ({ line: one.line, why: "DL3022 COPY --from names no stage" })),
  ];
}
