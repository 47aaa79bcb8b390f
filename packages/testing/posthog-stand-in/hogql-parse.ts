import { HogqlError, readTokens, type Token } from "./hogql-tokens.ts";

/*
 * The part of HogQL that a watcher of series needs: one SELECT over `events` with WHERE, GROUP BY, HAVING, ORDER BY and LIMIT, and
 * expressions with calls, comparisons, placeholders and intervals. Whatever else PostHog would understand is refused as it
 * refuses what it does not understand, so that a query that passes here is one that means the same there.
 */

export type Expression =
  | { kind: "value"; value: number | string | boolean | null }
  | { kind: "placeholder"; name: string }
  | { kind: "field"; path: string[] }
  | { kind: "call"; name: string; parameters: Expression[]; isDistinct: boolean }
  | { kind: "interval"; count: number; unit: string }
  | { kind: "list"; items: Expression[] }
  | { kind: "star" };

export type Selected = { expression: Expression; alias: string | null; text: string };
export type Ordering = { expression: Expression; isDescending: boolean };

export type Select = {
  columns: Selected[];
  where: Expression | null;
  groupBy: Expression[];
  having: Expression | null;
  orderBy: Ordering[];
  limit: number | null;
  offset: number;
};

const comparisons: Record<string, string> = {
  "=": "equals",
  "!=": "notEquals",
  "<": "less",
  "<=": "lessOrEquals",
  ">": "greater",
  ">=": "greaterOrEquals",
};
const sums: Record<string, string> = { "+": "plus", "-": "minus" };
const products: Record<string, string> = { "*": "multiply", "/": "divide", "%": "modulo" };
const reserved = new Set([
  "from",
  "where",
  "group",
  "having",
  "order",
  "limit",
  "offset",
  "as",
  "and",
  "or",
  "asc",
  "desc",
  "by",
]);

/** @throws HogqlError */
export function parseHogql(text: string): Select {
  return new Parser(text).select();
}

class Parser {
  readonly #text: string;
  readonly #tokens: Token[];
  #at = 0;

  constructor(text: string) {
    this.#text = text;
    this.#tokens = readTokens(text);
  }

  select(): Select {
    this.#expectWord("select");
    const columns = this.#list(() => this.#column());
    this.#expectWord("from");
    const table = this.#name();
    if (table.toLowerCase() !== "events") throw new HogqlError(`Unknown table "${table}".`);
    const select: Select = {
      columns,
      where: this.#word("where") ? this.#expression() : null,
      groupBy: this.#words("group", "by") ? this.#list(() => this.#expression()) : [],
      having: this.#word("having") ? this.#expression() : null,
      orderBy: this.#words("order", "by") ? this.#list(() => this.#ordering()) : [],
      limit: this.#word("limit") ? this.#number() : null,
      offset: this.#word("offset") ? this.#number() : 0,
    };
    if (this.#peek().kind !== "end") throw this.#unexpected();
    return select;
  }

  #column(): Selected {
    const from = this.#peek().at;
    const expression = this.#expression();
    const text = this.#text.slice(from, this.#peek().at).trim();
    if (this.#word("as")) return { expression, alias: this.#name(), text };
    const next = this.#peek();
    const hasAlias = next.kind === "name" && !reserved.has(next.value.toLowerCase());
    return { expression, alias: hasAlias ? this.#name() : null, text };
  }

  #ordering(): Ordering {
    const expression = this.#expression();
    const isDescending = this.#word("desc");
    if (!isDescending) this.#word("asc");
    return { expression, isDescending };
  }

  #expression(): Expression {
    return this.#chain("or", () => this.#chain("and", () => this.#negation()));
  }

  #chain(word: "or" | "and", next: () => Expression): Expression {
    let left = next();
    while (this.#word(word)) left = call(word, left, next());
    return left;
  }

  #negation(): Expression {
    return this.#word("not") ? call("not", this.#negation()) : this.#comparison();
  }

  #comparison(): Expression {
    const left = this.#arithmetic(sums, () => this.#arithmetic(products, () => this.#unary()));
    const sign = this.#peek();
    const name = sign.kind === "sign" ? comparisons[sign.value] : undefined;
    if (name !== undefined) {
      this.#at++;
      return call(
        name,
        left,
        this.#arithmetic(sums, () => this.#arithmetic(products, () => this.#unary())),
      );
    }
    if (this.#word("is")) {
      const isNot = this.#word("not");
      this.#expectWord("null");
      return isNot ? call("isNotNull", left) : call("isNull", left);
    }
    const isNot = this.#peekWord("not") && this.#word("not");
    const found = this.#membership(left);
    if (isNot && found === null) throw this.#unexpected();
    return found === null ? left : isNot ? call("not", found) : found;
  }

  #membership(left: Expression): Expression | null {
    if (this.#word("in")) return call("in", left, this.#unary());
    if (this.#word("like")) return call("like", left, this.#unary());
    return this.#word("ilike") ? call("ilike", left, this.#unary()) : null;
  }

  #arithmetic(signs: Record<string, string>, next: () => Expression): Expression {
    let left = next();
    for (;;) {
      const token = this.#peek();
      const name = token.kind === "sign" ? signs[token.value] : undefined;
      if (name === undefined) return left;
      this.#at++;
      left = call(name, left, next());
    }
  }

  #unary(): Expression {
    return this.#sign("-") ? call("negate", this.#unary()) : this.#primary();
  }

  #primary(): Expression {
    const token = this.#next();
    if (token.kind === "number" || token.kind === "text") return { kind: "value", value: token.value };
    if (token.kind === "placeholder") return { kind: "placeholder", name: token.value };
    if (token.kind === "sign") return this.#bracketed(token.value);
    if (token.kind === "end") throw this.#unexpected();
    return this.#named(token.value, token.isQuoted);
  }

  #bracketed(sign: string): Expression {
    if (sign === "*") return { kind: "star" };
    if (sign === "[") {
      const items = this.#sign("]") ? [] : this.#list(() => this.#expression());
      if (items.length > 0) this.#expectSign("]");
      return { kind: "list", items };
    }
    if (sign !== "(") throw this.#unexpected(-1);
    const items = this.#list(() => this.#expression());
    this.#expectSign(")");
    const [only] = items;
    return items.length === 1 && only ? only : { kind: "list", items };
  }

  #named(name: string, isQuoted: boolean): Expression {
    const word = isQuoted ? "" : name.toLowerCase();
    if (word === "true" || word === "false") return { kind: "value", value: word === "true" };
    if (word === "null") return { kind: "value", value: null };
    if (word === "interval") return { kind: "interval", count: this.#number(), unit: this.#name().toLowerCase() };
    if (this.#sign("(")) return this.#call(name);
    const path = [name];
    while (this.#sign(".")) path.push(this.#name());
    return { kind: "field", path };
  }

  #call(name: string): Expression {
    const isDistinct = this.#word("distinct");
    if (this.#sign(")")) return { kind: "call", name, parameters: [], isDistinct };
    const parameters = this.#list(() => this.#expression());
    this.#expectSign(")");
    return { kind: "call", name, parameters, isDistinct };
  }

  #list<T>(item: () => T): T[] {
    const items = [item()];
    while (this.#sign(",")) items.push(item());
    return items;
  }

  #peek(): Token {
    return this.#tokens[this.#at] ?? { kind: "end", value: "", at: this.#text.length };
  }

  #next(): Token {
    const token = this.#peek();
    this.#at++;
    return token;
  }

  #peekWord(word: string): boolean {
    const token = this.#peek();
    return token.kind === "name" && !token.isQuoted && token.value.toLowerCase() === word;
  }

  #word(word: string): boolean {
    if (!this.#peekWord(word)) return false;
    this.#at++;
    return true;
  }

  #words(first: string, second: string): boolean {
    if (!this.#word(first)) return false;
    this.#expectWord(second);
    return true;
  }

  #sign(sign: string): boolean {
    const token = this.#peek();
    if (token.kind !== "sign" || token.value !== sign) return false;
    this.#at++;
    return true;
  }

  #expectWord(word: string): void {
    if (!this.#word(word)) throw this.#unexpected();
  }

  #expectSign(sign: string): void {
    if (!this.#sign(sign)) throw this.#unexpected();
  }

  #name(): string {
    const token = this.#next();
    if (token.kind === "name") return token.value;
    throw this.#unexpected(-1);
  }

  #number(): number {
    const token = this.#next();
    if (token.kind === "number") return token.value;
    throw this.#unexpected(-1);
  }

  #unexpected(back = 0): HogqlError {
    const { at, value } = this.#tokens[this.#at + back] ?? this.#peek();
    return new HogqlError(
      `Syntax error at position ${at}: unexpected ${value === "" ? "end" : JSON.stringify(String(value))}`,
    );
  }
}

function call(name: string, ...parameters: Expression[]): Expression {
  return { kind: "call", name, parameters, isDistinct: false };
}
