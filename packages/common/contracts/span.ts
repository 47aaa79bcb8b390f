/** One step of a trace: what was done, by whom it was caused, from when to when. */
export type Span = {
  traceId: string;
  spanId: string;
  parentSpanId: string | null;
  name: string;
  kind: "internal" | "server" | "client";
  /** Unix time in ms, with its fraction */
  startMs: number;
  endMs: number;
  attributes: Record<string, string | number | boolean>;
  /** why it failed; null when it did not */
  error: string | null;
};
