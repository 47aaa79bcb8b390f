import { decodeUrlText } from "./query.ts";

export type Found<T> = { value: T; params: Record<string, string> };

type Leaf<T> = { value: T; names: string[] };
type Node<T> = { literals: Map<string, Node<T>>; parameter: Node<T> | null; leaf: Leaf<T> | null };

/**
 * Finds the route of a path by walking its segments, so that the cost does not grow with the number of routes. A
 * literal segment wins over a parameter: `/webhooks/deliveries` is not taken for a `:source`.
 *
 * Express's own router tries every route in turn; of 30 routes that is a tenth of the cost of a small request.
 */
export function buildRouteTable<T>(routes: Iterable<[path: string, value: T]>): (path: string) => Found<T> | null {
  const root = newNode<T>();
  for (const [path, value] of routes) insert(root, path, value);
  return (path) => {
    if (!path.startsWith("/")) return null;
    const segments = segmentsOf(path);
    const values: string[] = [];
    const leaf = find(root, { segments, values }, 0);
    return leaf && { value: leaf.value, params: toParams(leaf.names, values) };
  };
}

function newNode<T>(): Node<T> {
  return { literals: new Map(), parameter: null, leaf: null };
}

function insert<T>(root: Node<T>, path: string, value: T): void {
  const names: string[] = [];
  let node = root;
  for (const segment of segmentsOf(path)) {
    if (segment.startsWith(":")) {
      names.push(segment.slice(1));
      node.parameter ??= newNode();
      node = node.parameter;
    } else {
      const next = node.literals.get(segment) ?? newNode<T>();
      node.literals.set(segment, next);
      node = next;
    }
  }
  if (node.leaf) throw new Error(`two routes have the path ${path}`);
  node.leaf = { value, names };
}

/** One slash at the end is forgiven. */
function segmentsOf(path: string): string[] {
  const end = path.length > 1 && path.endsWith("/") ? path.length - 1 : path.length;
  return path.slice(1, end).split("/");
}

/** As deep as the longest path of a route, whatever is asked for. */
function find<T>(node: Node<T>, walk: { segments: string[]; values: string[] }, at: number): Leaf<T> | null {
  const segment = walk.segments[at];
  if (segment === undefined) return node.leaf;
  const literal = node.literals.get(segment);
  const found = literal ? find(literal, walk, at + 1) : null;
  if (found || !node.parameter || segment === "") return found;
  walk.values.push(segment);
  const leaf = find(node.parameter, walk, at + 1);
  if (!leaf) walk.values.pop();
  return leaf;
}

function toParams(names: string[], values: string[]): Record<string, string> {
  const params: Record<string, string> = {};
  for (const [index, name] of names.entries()) params[name] = decodeUrlText(values[index] ?? "");
  return params;
}

/** The path of a request target, also of one in absolute form (RFC 9112, 3.2.2). */
export function pathOf(target: string): string {
  const path = target.startsWith("/") ? target : target.replace(/^https?:\/\/[^/?#]*/i, "");
  const query = path.indexOf("?");
  return (query === -1 ? path : path.slice(0, query)) || "/";
}
