/** What GitHub answered instead of what was asked; never the token. `status` is null when no answer came. */
export class GithubError extends Error {
  readonly status: number | null;

  constructor(message: string, status: number | null, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "GithubError";
    this.status = status;
  }

  get isRetryable(): boolean {
    return this.status === null || this.status === 429 || this.status >= 500;
  }
}
