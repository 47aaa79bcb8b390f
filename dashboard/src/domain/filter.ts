import { toInstant } from "./time.ts";

/*
 * One filter language for every list: `status:failed,waiting type:render.deploy -service:logging level>=warn "exact words"`.
 *
 * The same terms have three forms: the text in the box, the page's query string under the API's own parameter names, and the
 * API's query. What the API cannot express (a negation, several values of a key that takes one) stays `local`: the page applies
 * it to the rows it has loaded, and the term's chip says so. An unknown key or value is a problem, never ignored, because a
 * filter that silently drops a word shows the wrong rows as if they were the answer.
 */

export type FilterKey<Row> = {
  /** The API's parameter. */
  param: string;
  /** What a person may write; the first is what the page writes. */
  names: readonly [string, ...string[]];
  kind: "words" | "text" | "level" | "time";
  words?: readonly string[];
  pattern?: RegExp;
  expects?: string;
  example: string;
  read?: (row: Row) => string | null;
};

export type Vocabulary<Row> = {
  keys: readonly FilterKey<Row>[];
  /** What a bare word is searched in, as the API's `q` does. */
  textOf: (row: Row) => string;
  /** The API has no `q`: words are looked for in the rows that are loaded. */
  textIsLocal?: boolean;
  atOf: (row: Row) => string;
};

/** `param` is the API's name, or `q` for words of text. */
export type Term = { param: string; values: string[]; negated: boolean };
export type Problem = { word: string; message: string };
export type Parsed = { terms: Term[]; problems: Problem[] };

const TOKEN = /\s*(-?)(?:([A-Za-z][A-Za-z]*)(:|>=))?((?:"(?:[^"\\]|\\.)*"?|[^\s"])*)/y;
const VALUE = /"((?:[^"\\]|\\.)*)"?|([^",]+)/g;

type Token = { negated: boolean; name: string | null; operator: string; raw: string; word: string };

function readTokens(text: string): Token[] {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.trimEnd().length) {
    const match = TOKEN.exec(text);
    if (!match || match[0] === "") break;
    const [whole, minus, name, operator = ":", raw = ""] = match;
    tokens.push({ negated: minus === "-", name: name ?? null, operator, raw, word: whole.trim() });
  }
  return tokens;
}

const unescapeQuotes = (text: string) => text.replaceAll(/\\(.)/g, "$1");

function splitValues(raw: string): string[] {
  const values = [...raw.matchAll(VALUE)].map((match) =>
    match[1] === undefined ? (match[2] ?? "") : unescapeQuotes(match[1]),
  );
  return values.filter((value) => value !== "");
}

function unquote(raw: string): string {
  const match = /^"((?:[^"\\]|\\.)*)"?$/.exec(raw);
  return match?.[1] === undefined ? raw.replaceAll('"', "") : unescapeQuotes(match[1]);
}

function findKey<Row>(vocabulary: Vocabulary<Row>, name: string): FilterKey<Row> | null {
  const wanted = name.toLowerCase();
  const isNamed = (key: FilterKey<Row>) => key.param.toLowerCase() === wanted || key.names.includes(wanted);
  return vocabulary.keys.find(isNamed) ?? null;
}

function judgeValue<Row>(key: FilterKey<Row>, value: string): string | null {
  if (key.words && !key.words.includes(value)) return `${key.names[0]} is one of ${key.words.join(", ")}`;
  if (key.kind === "time" && toInstant(value, 0) === null)
    return `${key.names[0]} takes a span such as 1h or 7d, or a date`;
  if (key.pattern && !key.pattern.test(value)) return `${key.names[0]} expects ${key.expects ?? "another form"}`;
  return null;
}

function judgeToken<Row>(token: Token, vocabulary: Vocabulary<Row>): Term | Problem | null {
  if (token.name === null) {
    const value = unquote(token.raw);
    return value === "" ? null : { param: "q", values: [value], negated: token.negated };
  }
  const key = findKey(vocabulary, token.name);
  if (!key) {
    const known = vocabulary.keys.map(({ names }) => names[0]).join(", ");
    return {
      word: token.word,
      message: `There is no filter “${token.name}”. Filters here: ${known}. To search for the text itself, put it in quotes.`,
    };
  }
  if (token.operator === ">=" && key.kind !== "level")
    return { word: token.word, message: `Only level takes >=; write ${key.names[0]}:` };
  const values = splitValues(token.raw).map((value) => (key.words ? value.toLowerCase() : value));
  if (values.length === 0)
    return { word: token.word, message: `${key.names[0]} needs a value, such as ${key.example}` };
  const message = values.map((value) => judgeValue(key, value)).find((found) => found !== null);
  return message ? { word: token.word, message } : { param: key.param, values, negated: token.negated };
}

/** Terms of one key belong together: `status:failed status:waiting` is `status:failed,waiting`. */
function mergeTerms(terms: readonly Term[]): Term[] {
  const merged: Term[] = [];
  for (const term of terms) {
    const same = merged.find(({ param, negated }) => param !== "q" && param === term.param && negated === term.negated);
    if (same) same.values = [...new Set([...same.values, ...term.values])];
    else merged.push({ ...term });
  }
  return merged;
}

export function parseFilter<Row>(text: string, vocabulary: Vocabulary<Row>): Parsed {
  const judged = readTokens(text).map((token) => judgeToken(token, vocabulary));
  const problems = judged.filter((found): found is Problem => found !== null && "message" in found);
  const terms = judged.filter((found): found is Term => found !== null && "param" in found);
  return { terms: mergeTerms(terms), problems };
}

function quoteValue(value: string): string {
  return /[\s",]|^-|^$/.test(value) ? `"${value.replaceAll(/["\\]/g, "\\$&")}"` : value;
}

/** A bare word that looks like `key:value` must be quoted, else reading it back would make it a filter. */
function quoteText(value: string): string {
  return /^[A-Za-z]+(:|>=)/.test(value) ? `"${value.replaceAll(/["\\]/g, "\\$&")}"` : quoteValue(value);
}

export function writeTerm<Row>(term: Term, vocabulary: Vocabulary<Row>): string {
  const sign = term.negated ? "-" : "";
  if (term.param === "q") return sign + quoteText(term.values[0] ?? "");
  const key = findKey(vocabulary, term.param);
  const operator = key?.kind === "level" ? ">=" : ":";
  return `${sign}${key?.names[0] ?? term.param}${operator}${term.values.map(quoteValue).join(",")}`;
}

export function writeFilter<Row>(terms: readonly Term[], vocabulary: Vocabulary<Row>): string {
  return terms.map((term) => writeTerm(term, vocabulary)).join(" ");
}

/** The page's own query string: `status=failed,waiting&-service=logging&q=…`. Parameters that are no filter are left alone. */
export function toSearch<Row>(
  terms: readonly Term[],
  vocabulary: Vocabulary<Row>,
  others: URLSearchParams,
): URLSearchParams {
  const search = new URLSearchParams();
  for (const { param, values, negated } of terms) {
    const name = negated ? `-${param}` : param;
    const asList = findKey(vocabulary, param)?.kind === "words";
    for (const value of asList ? [values.join(",")] : values) search.append(name, value);
  }
  for (const [name, value] of others) if (!isFilterParam(name, vocabulary)) search.append(name, value);
  return search;
}

function isFilterParam<Row>(name: string, vocabulary: Vocabulary<Row>): boolean {
  const param = name.replace(/^-/, "");
  return param === "q" || vocabulary.keys.some((key) => key.param === param);
}

/** Reads the page's query string through the language, so that a link written by hand is judged as typed text is. */
export function parseSearch<Row>(search: URLSearchParams, vocabulary: Vocabulary<Row>): Parsed {
  const words: string[] = [];
  for (const [name, value] of search) {
    if (!isFilterParam(name, vocabulary)) continue;
    const negated = name.startsWith("-");
    const param = name.replace(/^-/, "");
    const asList = findKey(vocabulary, param)?.kind === "words";
    words.push(writeTerm({ param, values: asList ? value.split(",") : [value], negated }, vocabulary));
  }
  return parseFilter(words.join(" "), vocabulary);
}

export type ApiQuery = { query: Record<string, string>; local: Term[] };

function toApiValue<Row>(key: FilterKey<Row>, values: readonly string[], nowMs: number): string | null {
  if (key.kind === "words") return values.join(",");
  if (key.kind === "level") return values.reduce((low, value) => lowerWord(key.words ?? [], low, value));
  if (values.length > 1) return null;
  const [value = ""] = values;
  return key.kind === "time" ? toInstant(value, nowMs) : value;
}

function lowerWord(words: readonly string[], left: string, right: string): string {
  return words.indexOf(left) < words.indexOf(right) ? left : right;
}

/** Splits the terms into what the API filters and what only the page can. */
export function toApi<Row>(terms: readonly Term[], vocabulary: Vocabulary<Row>, nowMs: number): ApiQuery {
  const query: Record<string, string> = {};
  const local: Term[] = [];
  for (const term of terms) {
    const key = findKey(vocabulary, term.param);
    const text = vocabulary.textIsLocal ? null : (term.values[0] ?? null);
    const value = key ? toApiValue(key, term.values, nowMs) : text;
    if (term.negated || value === null || term.param in query) local.push(term);
    else query[term.param] = value;
  }
  return { query, local };
}

function isWithin(param: string, at: string, bound: string | null): boolean {
  if (bound === null) return true;
  return param === "until" ? at < bound : at >= bound;
}

function matchesTerm<Row>(row: Row, term: Term, vocabulary: Vocabulary<Row>, nowMs: number): boolean {
  const key = findKey(vocabulary, term.param);
  if (!key)
    return vocabulary
      .textOf(row)
      .toLowerCase()
      .includes((term.values[0] ?? "").toLowerCase());
  if (key.kind === "time") return isWithin(key.param, vocabulary.atOf(row), toInstant(term.values[0] ?? "", nowMs));
  const value = key.read?.(row) ?? null;
  if (value === null) return false;
  if (key.kind !== "level") return term.values.includes(value);
  const words = key.words ?? [];
  return term.values.some((low) => words.indexOf(value) >= words.indexOf(low));
}

/** Whether a row that came by the live stream belongs to the filtered list. */
export function matchesRow<Row>(row: Row, terms: readonly Term[], vocabulary: Vocabulary<Row>, nowMs: number): boolean {
  return terms.every((term) => matchesTerm(row, term, vocabulary, nowMs) !== term.negated);
}

/** A list with a fixed end shows the past: new rows cannot belong to it. */
export function isFixed(terms: readonly Term[]): boolean {
  return terms.some(({ param, negated }) => param === "until" && !negated);
}

/** The terms with one key's values replaced; no values removes the key. */
export function withValues(terms: readonly Term[], param: string, values: readonly string[]): Term[] {
  const others = terms.filter((term) => term.param !== param || term.negated);
  return values.length === 0 ? others : [...others, { param, values: [...values], negated: false }];
}

/** With the value added to those of its member, or taken away where it is one of them. */
export function withToggled(terms: readonly Term[], param: string, value: string): Term[] {
  const chosen = valuesOf(terms, param);
  return withValues(
    terms,
    param,
    chosen.includes(value) ? chosen.filter((other) => other !== value) : [...chosen, value],
  );
}

export function valuesOf(terms: readonly Term[], param: string): readonly string[] {
  return terms.find((term) => term.param === param && !term.negated)?.values ?? [];
}
