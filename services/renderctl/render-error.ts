/** Why Render did not do what was asked. Its message is fit for people and holds neither the token nor sent values. */
export class RenderError extends Error {
  /** null: no answer came */
  readonly status: number | null;
  /** The same request may succeed later. */
  readonly retryable: boolean;
  readonly retryAfterMs: number;
  /** The request was a write, and nobody knows whether it was carried out. */
  readonly mayHaveLanded: boolean;
  readonly operation: string;

  constructor(
    message: string,
    about: {
      operation: string;
      status: number | null;
      retryable?: boolean;
      retryAfterMs?: number;
      mayHaveLanded?: boolean;
      cause?: unknown;
    },
  ) {
    super(message, about.cause === undefined ? undefined : { cause: about.cause });
    this.name = "RenderError";
    this.operation = about.operation;
    this.status = about.status;
    this.retryable = about.retryable ?? false;
    this.retryAfterMs = about.retryAfterMs ?? 0;
    this.mayHaveLanded = about.mayHaveLanded ?? false;
  }
}
