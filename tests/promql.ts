/*
 * As much of PromQL as is needed to say which series an expression asks for: the selectors with their labels, and the labels that
 * results are grouped by. What it does not know it refuses, so that no typing error passes as a function.
 */

export type Selector = { metric: string; labels: string[] };
export type Expression = { selectors: Selector[]; groupedBy: string[] };

const functions = new Set(["sum", "max", "min", "avg", "count", "rate", "increase", "histogram_quantile"]);
const groupings = new Set(["by", "without", "on", "ignoring", "group_left", "group_right"]);
const operators = new Set(["and", "or", "unless", "bool", "offset"]);

const token =
  /\s+|"(?:[^"\\]|\\.)*"|\[[0-9]+[smhdw]\]|[0-9]+(?:\.[0-9]+)?(?:e[0-9]+)?|[a-zA-Z_:][a-zA-Z0-9_:]*|=~|!~|!=|==|<=|>=|[-+*/%^<>=(){},]/y;

/** @throws Error for what is no expression */
export function parsePromql(text: string): Expression {
  const tokens = tokenize(text);
  checkBrackets(tokens, text);
  const found: Expression = { selectors: [], groupedBy: [] };
  try {
    for (let at = 0; at < tokens.length; at++) {
      const word = tokens[at] ?? "";
      if (/^[a-zA-Z_:]/.test(word) && !operators.has(word)) at = readWord(tokens, at, found);
    }
    if (found.selectors.length === 0) throw new Error("nothing is asked for");
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : error} in: ${text}`);
  }
  return found;
}

/** Answers the place of its last token. */
function readWord(tokens: readonly string[], at: number, found: Expression): number {
  const [word = "", next = ""] = tokens.slice(at, at + 2);
  if (groupings.has(word)) {
    const end = tokens.indexOf(")", at);
    found.groupedBy.push(...namesIn(tokens.slice(at + 1, end)));
    return end;
  }
  if (functions.has(word)) {
    if (next !== "(" && !groupings.has(next)) throw new Error(`${word} is not called`);
    return at;
  }
  if (next === "(") throw new Error(`${word} is no function that is known`);
  const end = next === "{" ? tokens.indexOf("}", at) : at;
  found.selectors.push({ metric: word, labels: labelsIn(tokens.slice(at + 1, end)) });
  return end;
}

function tokenize(text: string): string[] {
  const tokens: string[] = [];
  token.lastIndex = 0;
  while (token.lastIndex < text.length) {
    const from = token.lastIndex;
    const match = token.exec(text);
    if (!match) throw new Error(`not PromQL from ${JSON.stringify(text.slice(from, from + 20))} on: ${text}`);
    if (match[0].trim() !== "") tokens.push(match[0]);
  }
  return tokens;
}

function checkBrackets(tokens: readonly string[], text: string): void {
  const open: string[] = [];
  for (const one of tokens) {
    if (one === "(" || one === "{") open.push(one === "(" ? ")" : "}");
    else if ((one === ")" || one === "}") && open.pop() !== one) throw new Error(`brackets do not match in: ${text}`);
  }
  if (open.length > 0) throw new Error(`brackets are not closed in: ${text}`);
}

function namesIn(tokens: readonly string[]): string[] {
  return tokens.filter((one) => /^[a-zA-Z_]/.test(one));
}

function labelsIn(tokens: readonly string[]): string[] {
  return tokens.filter((one, at) => /^[a-zA-Z_]/.test(one) && /^(?:=|!=|=~|!~)$/.test(tokens[at + 1] ?? ""));
}
