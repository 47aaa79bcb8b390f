import type { ErrorReply } from "@signalbox/common/contracts/errors.ts";

/** A call of another service that did not go well; its status is null when no answer came. */
export class FleetError extends Error {
  readonly status: number | null;
  readonly code: string;
  readonly retryAfterMs: number;
  readonly details: unknown[];

  constructor(
    message: string,
    failure: { status: number | null; code: string; retryAfterMs?: number; details?: unknown[] },
  ) {
    super(message);
    this.name = "FleetError";
    this.status = failure.status;
    this.code = failure.code;
    this.retryAfterMs = failure.retryAfterMs ?? 0;
    this.details = failure.details ?? [];
  }

  /** The same call may go well later. */
  get isPassing(): boolean {
    return this.status === null || this.status === 429 || this.status === 408 || this.status >= 500;
  }
}

/** @param service as a person knows it */
export function toFleetError(
  service: string,
  answer: { status: number; retryAfterSeconds: number; text: string },
): FleetError {
  const { status, retryAfterSeconds } = answer;
  const { code, message, details = [] } = parseError(answer.text);
  const retryAfterMs = Math.min(Math.max(0, retryAfterSeconds), 3_600) * 1_000;
  return new FleetError(message || `${service} answered ${status}`, { status, code, retryAfterMs, details });
}

function parseError(text: string): { code: string; message: string; details?: unknown[] } {
  try {
    const { error } = JSON.parse(text) as Partial<ErrorReply>;
    const { code, message, details } = error ?? {};
    return {
      code: String(code ?? "unknown"),
      message: String(message ?? "").slice(0, 500),
      ...(details && { details }),
    };
  } catch {
    return { code: "unknown", message: "" };
  }
}
