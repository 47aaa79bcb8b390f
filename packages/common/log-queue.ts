/** Lines on their way out, first in, first out, bounded by rows and bytes. */
export type LogQueue = ReturnType<typeof buildLogQueue>;

export type QueueBounds = { rows: number; bytes: number };

export function buildLogQueue(bounds: QueueBounds) {
  let lines: string[] = [];
  let sizes: number[] = [];
  let head = 0;
  let bytes = 0;
  let taken = 0;

  return {
    rows: () => lines.length - head,
    bytes: () => bytes,
    /** How many have ever left it: what a flush waits for. */
    taken: () => taken,
    /** False when it is full; the line is then not kept. */
    push(line: string): boolean {
      const size = Buffer.byteLength(line) + 1;
      if (lines.length - head >= bounds.rows || bytes + size > bounds.bytes) return false;
      lines.push(line);
      sizes.push(size);
      bytes += size;
      return true;
    },
    /** The oldest lines within the bounds, at least one if there is any. They stay until `drop`. */
    peek(most: QueueBounds): string[] {
      let end = head;
      let sum = 0;
      while (end < lines.length && end - head < most.rows) {
        sum += sizes[end] ?? 0;
        if (sum > most.bytes && end > head) break;
        end++;
      }
      return lines.slice(head, end);
    },
    /** Forgets the oldest. */
    drop(count: number): void {
      for (let at = head; at < head + count; at++) bytes -= sizes[at] ?? 0;
      head += count;
      taken += count;
      if (head < 1_024 && head < lines.length) return;
      lines = lines.slice(head);
      sizes = sizes.slice(head);
      head = 0;
    },
  };
}
