import { open } from "node:fs/promises";

/** Reads what was appended to files since the last look, whole lines only. */
export class NewLines {
  readonly #offsets = new Map<string, number>();

  async read(path: string): Promise<string[]> {
    const file = await open(path, "r").catch(() => null);
    if (file === null) return [];
    try {
      const from = this.#offsets.get(path) ?? 0;
      const { size } = await file.stat();
      const { buffer, bytesRead } = await file.read(Buffer.alloc(size - from), 0, size - from, from);
      const end = buffer.subarray(0, bytesRead).lastIndexOf(10) + 1;
      this.#offsets.set(path, from + end);
      return buffer.subarray(0, end).toString("utf8").split("\n").slice(0, -1);
    } finally {
      await file.close();
    }
  }
}
