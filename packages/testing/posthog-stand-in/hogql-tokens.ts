export type Token =
  | { kind: "number"; value: number; at: number }
  | { kind: "text"; value: string; at: number }
  /** a name or a word of the language, as written; `quoted` names are never words */
  | { kind: "name"; value: string; isQuoted: boolean; at: number }
  | { kind: "placeholder"; value: string; at: number }
  | { kind: "sign"; value: string; at: number }
  | { kind: "end"; value: ""; at: number };

/** What PostHog would answer with 400 and this detail. */
export class HogqlError extends Error {}

const shapes: { kind: Exclude<Token["kind"], "end"> | "space"; pattern: RegExp }[] = [
  { kind: "space", pattern: /(?:\s+|--[^\n]*)/y },
  { kind: "number", pattern: /\d+(?:\.\d+)?/y },
  { kind: "text", pattern: /'(?:[^'\\]|\\.|'')*'/y },
  { kind: "placeholder", pattern: /\{\s*[A-Za-z_]\w*\s*\}/y },
  { kind: "name", pattern: /[A-Za-z_$][\w$]*|`[^`]+`|"[^"]+"/y },
  { kind: "sign", pattern: /<=|>=|!=|<>|==|[-+*/%=<>(),.[\]]/y },
];

/** @throws HogqlError where a character belongs to nothing */
export function readTokens(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    const found = nextShape(text, at);
    if (found.kind !== "space") tokens.push(toToken(found.kind, found.text, at));
    at += found.text.length;
  }
  return [...tokens, { kind: "end", value: "", at }];
}

function nextShape(text: string, at: number) {
  for (const { kind, pattern } of shapes) {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match) return { kind, text: match[0] };
  }
  throw new HogqlError(`Syntax error at position ${at}: unexpected ${JSON.stringify(text[at])}`);
}

function toToken(kind: Exclude<Token["kind"], "end">, text: string, at: number): Token {
  switch (kind) {
    case "number":
      return { kind, value: Number(text), at };
    case "text":
      return { kind, value: text.slice(1, -1).replaceAll("''", "'").replaceAll(/\\(.)/g, "$1"), at };
    case "placeholder":
      return { kind, value: text.slice(1, -1).trim(), at };
    case "name": {
      const isQuoted = /^[`"]/.test(text);
      return { kind, value: isQuoted ? text.slice(1, -1) : text, isQuoted, at };
    }
    default:
      return { kind, value: text === "==" ? "=" : text === "<>" ? "!=" : text, at };
  }
}
