import type { Frame, HelloFrame } from "@signalbox/common/contracts/frame.ts";

/** Logs that this tab itself had to drop because it could not apply them in time. */
export type LocalGap = { type: "gap"; reason: "slow_tab"; dropped: number };
export type StreamFrame = Exclude<Frame, HelloFrame> | LocalGap;
/** A frame with the length of its text: what a held row weighs is known without measuring it again. */
export type Received = { frame: StreamFrame; sizeBytes: number };

const known = new Set(["hello", "task", "log", "gap", "heartbeat"]);

/** @returns null for a kind of frame that this page does not know: a newer fleet may have more of them */
export function parseFrame(text: string): Frame | null {
  const value: unknown = JSON.parse(text);
  const isKnown = typeof value === "object" && value !== null && "type" in value && known.has(String(value.type));
  return isKnown ? (value as Frame) : null;
}
