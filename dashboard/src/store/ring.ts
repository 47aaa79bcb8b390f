/*
 * A long list that only grows at its ends, as an immutable value: appending a batch makes one new last chunk and one new array
 * of chunk references, so a reader that holds the old value (a paused view) keeps it for nothing. Rows are numbered absolutely,
 * from wherever the ring began: eviction and history at the front change `first`, never a row's number, which is what a list
 * needs to keep the row under the pointer where it is.
 */

export type Row = { readonly key: string; readonly weight: number };

type Chunk<T extends Row> = { rows: readonly T[]; first: number; weight: number; low: string; high: string };
export type Ring<T extends Row> = { chunks: readonly Chunk<T>[]; first: number; end: number; weight: number };
export type RingLimits = { rows: number; weight: number };

const CHUNK_ROWS = 512;

export function emptyRing<T extends Row>(): Ring<T> {
  return { chunks: [], first: 0, end: 0, weight: 0 };
}

export function sizeOf(ring: Ring<Row>): number {
  return ring.end - ring.first;
}

function toChunk<T extends Row>(rows: readonly T[], first: number): Chunk<T> {
  let weight = 0;
  let low = rows[0]?.key ?? "";
  let high = low;
  for (const row of rows) {
    weight += row.weight;
    if (row.key < low) low = row.key;
    if (row.key > high) high = row.key;
  }
  return { rows, first, weight, low, high };
}

function toChunks<T extends Row>(rows: readonly T[], first: number): Chunk<T>[] {
  const chunks: Chunk<T>[] = [];
  for (let at = 0; at < rows.length; at += CHUNK_ROWS)
    chunks.push(toChunk(rows.slice(at, at + CHUNK_ROWS), first + at));
  return chunks;
}

function fromChunks<T extends Row>(chunks: readonly Chunk<T>[], start: number): Ring<T> {
  const head = chunks[0];
  const last = chunks[chunks.length - 1];
  const weight = chunks.reduce((sum, chunk) => sum + chunk.weight, 0);
  return { chunks, first: head?.first ?? start, end: last ? last.first + last.rows.length : start, weight };
}

/** Takes whole chunks off the front until both bounds hold; the last chunk always stays. */
function evict<T extends Row>(ring: Ring<T>, limits: RingLimits): Ring<T> {
  let { weight } = ring;
  let rows = sizeOf(ring);
  let from = 0;
  while (from < ring.chunks.length - 1 && (rows > limits.rows || weight > limits.weight)) {
    const chunk = ring.chunks[from];
    weight -= chunk?.weight ?? 0;
    rows -= chunk?.rows.length ?? 0;
    from++;
  }
  return from === 0 ? ring : fromChunks(ring.chunks.slice(from), ring.end);
}

export function append<T extends Row>(ring: Ring<T>, rows: readonly T[], limits: RingLimits): Ring<T> {
  if (rows.length === 0) return ring;
  const last = ring.chunks[ring.chunks.length - 1];
  const isOpen = last !== undefined && last.rows.length < CHUNK_ROWS;
  const kept = isOpen ? ring.chunks.slice(0, -1) : ring.chunks;
  const added = isOpen ? toChunks([...last.rows, ...rows], last.first) : toChunks(rows, ring.end);
  return evict(fromChunks([...kept, ...added], ring.end), limits);
}

/** Puts older rows in front; they take lower numbers. */
export function prepend<T extends Row>(ring: Ring<T>, rows: readonly T[]): Ring<T> {
  if (rows.length === 0) return ring;
  return fromChunks([...toChunks(rows, ring.first - rows.length), ...ring.chunks], ring.end);
}

function findChunk<T extends Row>(ring: Ring<T>, number: number): Chunk<T> | undefined {
  let low = 0;
  let high = ring.chunks.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((ring.chunks[middle]?.first ?? 0) <= number) low = middle;
    else high = middle - 1;
  }
  return ring.chunks[low];
}

/** The row with an absolute number. */
export function rowAt<T extends Row>(ring: Ring<T>, number: number): T | undefined {
  const chunk = findChunk(ring, number);
  return chunk?.rows[number - chunk.first];
}

export function replaceAt<T extends Row>(ring: Ring<T>, number: number, row: T): Ring<T> {
  const chunk = findChunk(ring, number);
  if (!chunk || chunk.rows[number - chunk.first] === undefined) return ring;
  const changed = toChunk(chunk.rows.with(number - chunk.first, row), chunk.first);
  return { ...ring, chunks: ring.chunks.map((other) => (other === chunk ? changed : other)) };
}

const keySets = new WeakMap<readonly Row[], Set<string>>();

function keysOf(rows: readonly Row[]): Set<string> {
  const known = keySets.get(rows);
  if (known) return known;
  const keys = new Set(rows.map((row) => row.key));
  keySets.set(rows, keys);
  return keys;
}

/** Whether a row with this key is held. Keys are mostly ids that grow with time, so a new one is found absent by its bounds alone. */
export function hasKey(ring: Ring<Row>, key: string): boolean {
  return ring.chunks.some((chunk) => key >= chunk.low && key <= chunk.high && keysOf(chunk.rows).has(key));
}

/** Every row, oldest first. */
export function* rowsOf<T extends Row>(ring: Ring<T>): Generator<T> {
  for (const chunk of ring.chunks) yield* chunk.rows;
}

/** The number of the newest row, at most `within` rows back, that a test accepts; null when there is none. */
export function findBack<T extends Row>(ring: Ring<T>, within: number, test: (row: T) => boolean): number | null {
  for (let number = ring.end - 1; number >= Math.max(ring.first, ring.end - within); number--) {
    const row = rowAt(ring, number);
    if (row && test(row)) return number;
  }
  return null;
}
