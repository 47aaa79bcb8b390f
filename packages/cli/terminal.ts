import { styleText } from "node:util";

type Style = Parameters<typeof styleText>[0];

/** Where a command writes: what was asked for to stdout, everything on the way to it to stderr. */
export type Terminal = {
  isJson: boolean;
  /** Somebody sits there and can be asked. */
  isInteractive: boolean;
  /** The one document of `--json`; without it nothing. */
  document(value: unknown): void;
  /** A line for people; with `--json` nothing. */
  line(text: string): void;
  /** Under way; to stderr, so that it never mixes with the result. */
  note(text: string): void;
  paint(style: Style, text: string): string;
  /** What stdin holds. */
  readInput(): Promise<string>;
  /** Asks a question that is answered by yes or no; no when nobody answers. */
  confirm(question: string): Promise<boolean>;
};

const maxInputBytes = 1_048_576;

export type Streams = { input: NodeJS.ReadStream; output: NodeJS.WriteStream; errors: NodeJS.WriteStream };

export function buildTerminal({ input, output, errors }: Streams, isJson: boolean): Terminal {
  const isColoured = output.isTTY && !process.env.NO_COLOR;
  return {
    isJson,
    isInteractive: Boolean(input.isTTY && errors.isTTY),
    document: (value) => void (isJson && output.write(`${JSON.stringify(value)}\n`)),
    line: (text) => void (isJson || output.write(`${text}\n`)),
    note: (text) => void errors.write(`${text}\n`),
    paint: (style, text) => (isColoured ? styleText(style, text, { validateStream: false }) : text),
    async readInput() {
      const chunks: Buffer[] = [];
      let size = 0;
      for await (const chunk of input as AsyncIterable<Buffer>) {
        size += chunk.length;
        if (size > maxInputBytes)
          throw new Error(`stdin holds more than ${maxInputBytes} bytes; that is more than a task may`);
        chunks.push(chunk);
      }
      return Buffer.concat(chunks).toString("utf8");
    },
    async confirm(question) {
      errors.write(`${question} [y/N] `);
      input.resume();
      const [answer] = await Promise.race([once(input, "data"), once(input, "end")]);
      input.pause();
      return /^\s*y(?:es)?\s*$/i.test(String(answer ?? ""));
    },
  };
}

function once(stream: NodeJS.ReadStream, event: string): Promise<unknown[]> {
  return new Promise((resolve) => stream.once(event, (...values) => resolve(values)));
}

/** What came from elsewhere cannot steer the terminal: its control characters are shown as escapes. */
export function plain(text: string): string {
  return text.replace(/\p{Cc}/gu, (found) =>
    found === "\n" || found === "\t" ? found : `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Rows in columns that are as wide as they must be; the last one is not filled up. */
export function toTable(heads: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const cells = [heads, ...rows].map((row) => row.map((cell) => plain(cell).replace(/[\n\t]/g, " ")));
  const widths = heads.map((_, at) => Math.max(...cells.map((row) => row[at]?.length ?? 0)));
  return cells.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

/** `12 s ago`, `3 h ago`; a time ahead as `in 5 min`. */
export function toAge(at: string | null, nowMs: number): string {
  if (at === null) return "-";
  const seconds = Math.round((nowMs - Date.parse(at)) / 1_000);
  const span = toSpan(Math.abs(seconds));
  return seconds < 0 ? `in ${span}` : `${span} ago`;
}

function toSpan(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} d`;
}
