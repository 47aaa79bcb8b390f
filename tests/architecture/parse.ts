import { parseAst } from "vitest/node";
import type { Source } from "./sources.ts";

export type Import = {
  specifier: string;
  /** What is taken by name; empty for a whole module. */
  names: string[];
  /** Nothing of it is left when the program runs. */
  isTypeOnly: boolean;
  /** `export … from`: passes on what is not its own. */
  isReexport: boolean;
  line: number;
};

export type FunctionFound = { name: string; line: number; lines: number };

/** Text that the program holds, and what it takes from the world around it. */
export type Use = { kind: "text" | "ambient"; value: string; line: number };

export type Module = {
  path: string;
  lines: number;
  imports: Import[];
  functions: FunctionFound[];
  uses: Use[];
  /** Statements other than imports, exports from elsewhere and types. */
  hasOwnCode: boolean;
};

type Node = { type: string; start: number; end: number } & Record<string, unknown>;

export function parseModule({ path, text }: Source): Module {
  const program = parseAst(text, { lang: path.endsWith("x") ? "tsx" : "ts" }) as unknown as Node;
  const lineAt = buildLineIndex(text);
  const module: Module = { path, lines: countLines(text), imports: [], functions: [], uses: [], hasOwnCode: false };
  module.hasOwnCode = (program.body as Node[]).some((node) => !isPassingOn(node));
  visit(program, null, (node, parent) => {
    const found = toImport(node, lineAt(node.start));
    if (found) module.imports.push(found);
    const fn = toFunction(node, parent, lineAt);
    if (fn) module.functions.push(fn);
    const use = toUse(node, lineAt(node.start));
    if (use) module.uses.push(use);
  });
  return module;
}

function countLines(text: string): number {
  return text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
}

function buildLineIndex(text: string): (offset: number) => number {
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return (offset) => {
    let [low, high] = [0, starts.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle;
    }
    return low + 1;
  };
}

function visit(node: Node, parent: Node | null, see: (node: Node, parent: Node | null) => void): void {
  see(node, parent);
  for (const [key, value] of Object.entries(node)) {
    if (key === "parent") continue;
    for (const child of Array.isArray(value) ? value : [value]) if (isNode(child)) visit(child, node, see);
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && typeof (value as Node).type === "string";
}

function isPassingOn(node: Node): boolean {
  if (node.type === "ImportDeclaration" || node.type === "ExportAllDeclaration") return true;
  return node.type === "ExportNamedDeclaration" && node.source !== null;
}

function toImport(node: Node, line: number): Import | null {
  const source = (node.source ?? null) as Node | null;
  const specifier = source?.type === "Literal" ? source.value : null;
  if (typeof specifier !== "string") return null;
  const members = (node.specifiers ?? []) as Node[];
  const kind = node.importKind ?? node.exportKind;
  const isTypeOnly =
    kind === "type" ||
    (members.length > 0 && members.every((member) => (member.importKind ?? member.exportKind) === "type"));
  const names = members.map((member) => identifier(member.imported)).filter((name) => name !== "?");
  return { specifier, names, isTypeOnly, isReexport: node.type.startsWith("Export"), line };
}

const functionTypes = new Set(["FunctionDeclaration", "FunctionExpression", "ArrowFunctionExpression"]);

/** Only functions with a body of statements: an arrow with one expression is an expression. */
function toFunction(node: Node, parent: Node | null, lineAt: (offset: number) => number): FunctionFound | null {
  if (!functionTypes.has(node.type) || (node.body as Node | null)?.type !== "BlockStatement") return null;
  const named = (node.id ?? parent?.id ?? parent?.key) as { name?: string } | null | undefined;
  const line = lineAt(node.start);
  return { name: named?.name ?? "anonymous", line, lines: lineAt(node.end - 1) - line + 1 };
}

const ambient = new Set([
  "process.env",
  "Date.now",
  "Math.random",
  "performance.now",
  "crypto.randomUUID",
  "crypto.getRandomValues",
]);
const ambientCalls = new Set([
  "setTimeout",
  "setInterval",
  "setImmediate",
  "queueMicrotask",
  "fetch",
  "randomUUID",
  "randomBytes",
]);

function toUse(node: Node, line: number): Use | null {
  if (node.type === "Literal" && typeof node.value === "string") return { kind: "text", value: node.value, line };
  if (node.type === "TemplateLiteral") {
    const value = (node.quasis as { value: { raw: string } }[]).map((quasi) => quasi.value.raw).join("?");
    return { kind: "text", value, line };
  }
  const name = nameOf(node);
  return name === null ? null : { kind: "ambient", value: name, line };
}

function nameOf(node: Node): string | null {
  if (node.type === "MemberExpression") {
    const name = `${identifier(node.object)}.${identifier(node.property)}`;
    return ambient.has(name) ? name : null;
  }
  if (node.type === "CallExpression") {
    const name = identifier(node.callee);
    return ambientCalls.has(name) ? name : null;
  }
  if (node.type !== "NewExpression") return null;
  const name = identifier(node.callee);
  if (name === "Date") return (node.arguments as unknown[]).length === 0 ? "new Date()" : null;
  return name === "WebSocket" || name === "EventSource" ? `new ${name}` : null;
}

function identifier(value: unknown): string {
  return isNode(value) && value.type === "Identifier" ? String(value.name) : "?";
}
