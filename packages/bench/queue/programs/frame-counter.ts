/** Counts the frames of a WebSocket without keeping them: what a client needs to prove that it got all, and no more. */
export class FrameCounter {
  tasks = 0;
  gaps = 0;
  readonly #onPing: () => void;
  readonly #onTask: ((payload: Buffer) => void) | null;
  #rest: Buffer | null = null;
  /** Bytes of the frame under way that are still to come. */
  #skip = 0;

  /** @param onTask gets each task frame whole; null where only the number counts */
  constructor(onPing: () => void, onTask: ((payload: Buffer) => void) | null = null) {
    this.#onPing = onPing;
    this.#onTask = onTask;
  }

  take(chunk: Buffer): void {
    const bytes = this.#rest === null ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#rest = null;
    let at = 0;
    while (at < bytes.length) {
      const step = Math.min(this.#skip, bytes.length - at);
      this.#skip -= step;
      at += step;
      if (at >= bytes.length) return;
      const head = readHead(bytes, at);
      if (head === null || !this.#hasEnough(head, bytes.length - at)) {
        this.#rest = bytes.subarray(at);
        return;
      }
      this.#count(head, bytes.subarray(at + head.size, at + head.size + head.length));
      this.#skip = head.size + head.length;
    }
  }

  /** Enough of it to tell what it is; the whole of it where somebody reads it. */
  #hasEnough({ size, length }: Head, there: number): boolean {
    return there >= size + (this.#onTask === null ? Math.min(length, typeAt + 1) : length);
  }

  #count({ opcode }: Head, payload: Buffer): void {
    if (opcode === ping) this.#onPing();
    if (opcode !== text) return;
    if (payload[typeAt] === letters.task) {
      this.tasks++;
      this.#onTask?.(payload);
    } else if (payload[typeAt] === letters.gap) this.gaps++;
  }
}

const [text, ping] = [0x1, 0x9];
/** Where the type's first letter stands in `{"type":"task"`. */
const typeAt = 9;
const letters = { task: 0x74, gap: 0x67 };

type Head = { opcode: number; size: number; length: number };

/** Null when it is not all there. */
function readHead(bytes: Buffer, at: number): Head | null {
  const there = bytes.length - at;
  if (there < 2) return null;
  const opcode = (bytes[at] ?? 0) & 0x0f;
  const short = (bytes[at + 1] ?? 0) & 0x7f;
  if (short < 126) return { opcode, size: 2, length: short };
  const size = short === 126 ? 4 : 10;
  if (there < size) return null;
  const length = short === 126 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2));
  return { opcode, size, length };
}
