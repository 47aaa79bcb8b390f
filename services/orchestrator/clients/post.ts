import type { IncomingHttpHeaders } from "node:http";
import type { Dispatcher } from "undici";

export type PostCall = {
  url: string;
  headers: Record<string, string>;
  body: string;
  /** From now to the last byte of the answer, waiting for a connection included. */
  timeoutMs: number;
  maxBytes: number;
  signal: AbortSignal;
};

export type Posted =
  | { kind: "answered"; status: number; headers: IncomingHttpHeaders; bytes: Buffer }
  | { kind: "timeout" }
  | { kind: "too large" }
  | { kind: "failed"; error: unknown };

const overReason = new Error("the call is over");

/**
 * One POST, whole. Never throws: whatever happens is an answer, and it comes in time even when no connection was free.
 * It talks to undici's dispatcher itself: `request` makes a stream, a controller and listeners for every answer, and ends a call
 * that waits for a connection only when it has one.
 */
export function post(dispatcher: Dispatcher, call: PostCall): Promise<Posted> {
  const { promise, resolve } = Promise.withResolvers<Posted>();
  const exchange = new Exchange(call, resolve);
  exchange.begin(dispatcher);
  return promise;
}

class Exchange implements Dispatcher.DispatchHandler {
  readonly #call: PostCall;
  readonly #resolve: (posted: Posted) => void;
  readonly #chunks: Buffer[] = [];
  readonly #onAbort = () => this.#end({ kind: "failed", error: new Error("it was given up") });
  #timer: NodeJS.Timeout | undefined;
  #controller: Dispatcher.DispatchController | null = null;
  #isOver = false;
  #size = 0;
  #status = 0;
  #headers: IncomingHttpHeaders = {};

  constructor(call: PostCall, resolve: (posted: Posted) => void) {
    this.#call = call;
    this.#resolve = resolve;
  }

  begin(dispatcher: Dispatcher): void {
    const { url, headers, body, timeoutMs, signal } = this.#call;
    if (signal.aborted) {
      this.#onAbort();
      return;
    }
    this.#timer = setTimeout(() => this.#end({ kind: "timeout" }), timeoutMs);
    signal.addEventListener("abort", this.#onAbort, { once: true });
    try {
      const { origin, pathname, search } = new URL(url);
      dispatcher.dispatch({ origin, path: pathname + search, method: "POST", headers, body }, this);
    } catch (error) {
      this.#end({ kind: "failed", error });
    }
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // It ended while it waited for a connection.
    if (this.#isOver) controller.abort(overReason);
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    // What comes before the answer, such as 103, is followed by it.
    this.#status = status;
    this.#headers = headers;
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#size += chunk.length;
    if (this.#size > this.#call.maxBytes) this.#end({ kind: "too large" });
    else this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    const [only] = this.#chunks;
    const bytes = only !== undefined && this.#chunks.length === 1 ? only : Buffer.concat(this.#chunks);
    this.#end({ kind: "answered", status: this.#status, headers: this.#headers, bytes });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#end({ kind: "failed", error });
  }

  #end(posted: Posted): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#call.signal.removeEventListener("abort", this.#onAbort);
    if (posted.kind !== "answered") this.#controller?.abort(overReason);
    this.#resolve(posted);
  }
}
