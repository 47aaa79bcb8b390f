import { CommandError, type ExitCode, exitCodes } from "./command.ts";
import type { Access, ServiceName } from "./credentials.ts";

export type Call = {
  method?: "GET" | "POST" | "PATCH" | "PUT" | "DELETE";
  body?: unknown;
  headers?: Record<string, string>;
  query?: Record<string, string | number | undefined>;
  service?: ServiceName;
  timeoutMs?: number;
};

/** One message of an event stream. */
export type StreamMessage = { id: string | null; event: string; data: string };

/** The services of a fleet, over HTTP and nothing else. */
export type Remote = {
  access: Access;
  /**
   * The answer, of the shape that the contract gives it; nothing checks that it has it.
   *
   * @throws CommandError with the service's own words
   */
  call<T = unknown>(path: string, call?: Call): Promise<T>;
  /** Server-sent events until the stream ends or the signal. */
  follow(
    path: string,
    options: { query?: Call["query"]; service?: ServiceName; signal: AbortSignal },
  ): AsyncGenerator<StreamMessage>;
};

const timeoutMs = 30_000;
const maxLineChars = 8_388_608;

export function buildRemote(access: Access, signal: AbortSignal): Remote {
  const authorization = `Basic ${Buffer.from(`${access.user}:${access.pass}`).toString("base64")}`;

  function toUrl(path: string, service: ServiceName, query: Call["query"] = {}): string {
    const base = access.urls[service];
    if (base === undefined) throw notThere(access, service);
    const given = Object.entries(query).flatMap(([key, value]) => (value === undefined ? [] : [[key, String(value)]]));
    const search = new URLSearchParams(given as [string, string][]).toString();
    return `${base}${path}${search === "" ? "" : `?${search}`}`;
  }

  async function send(url: string, init: RequestInit): Promise<Response> {
    const headers = { authorization, accept: "application/json", ...(init.headers as Record<string, string>) };
    const again = () => fetch(url, { ...init, headers, redirect: "error" });
    const response = await again()
      // Nobody knows whether it came in; with its key it can be said twice.
      .catch((error: unknown) => ("idempotency-key" in headers && isLost(error) ? again() : Promise.reject(error)))
      .catch((error: unknown) => {
        if (signal.aborted) throw signal.reason;
        throw unreachable(url, error);
      });
    if (!response.ok) throw await toRefusal(response, url);
    return response;
  }

  return {
    access,
    async call<T>(
      path: string,
      { method = "GET", body, headers = {}, query, service = "orchestrator", ...more }: Call = {},
    ): Promise<T> {
      const url = toUrl(path, service, query);
      const response = await send(url, {
        method,
        headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.any([signal, AbortSignal.timeout(more.timeoutMs ?? timeoutMs)]),
      });
      const text = await response.text();
      return (text === "" ? null : parse(text, url)) as T;
    },
    async *follow(path, { query, service = "orchestrator", signal: until }) {
      const url = toUrl(path, service, query);
      const response = await send(url, { headers: { accept: "text/event-stream" }, signal: until });
      if (response.body) yield* readMessages(response.body, until);
    },
  };
}

function parse(text: string, url: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new CommandError(
      exitCodes.unreachable,
      "not_signalbox",
      `${originOf(url)} does not answer like a Signalbox service`,
    );
  }
}

async function* readMessages(body: ReadableStream<Uint8Array>, signal: AbortSignal): AsyncGenerator<StreamMessage> {
  try {
    for await (const block of readBlocks(body)) {
      const message = toMessage(block);
      if (message !== null) yield message;
    }
  } catch (error) {
    // Cut off, or told to stop: either way there is no more, and whoever reads resumes by the last id.
    if (!signal.aborted && !(error instanceof TypeError)) throw error;
  }
}

async function* readBlocks(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of body) {
    rest += decoder.decode(chunk, { stream: true });
    if (rest.length > maxLineChars) throw new Error("a message of the stream is too large");
    const blocks = rest.split("\n\n");
    rest = blocks.pop() ?? "";
    yield* blocks;
  }
}

/** Null for a comment, such as a heartbeat. */
function toMessage(block: string): StreamMessage | null {
  const fields = block.split("\n").map((line) => /^(id|event|data): ?(.*)$/.exec(line));
  const all = (name: string) => fields.flatMap((field) => (field?.[1] === name ? [field[2] ?? ""] : []));
  const data = all("data");
  if (data.length === 0) return null;
  return { id: all("id").at(-1) ?? null, event: all("event").at(-1) ?? "message", data: data.join("\n") };
}

/** The connection was there and broke; one that was refused has carried nothing. */
function isLost(error: unknown): boolean {
  const { code } = (error instanceof Error ? (error.cause ?? {}) : {}) as { code?: unknown };
  return code === "UND_ERR_SOCKET" || code === "ECONNRESET" || code === "EPIPE";
}

function originOf(url: string): string {
  return new URL(url).origin;
}

function notThere({ off, source }: Access, service: ServiceName): CommandError {
  const reason = off[service];
  const why = reason === undefined ? `its address is not known from ${source}` : `it is off: ${reason}`;
  return new CommandError(exitCodes.unreachable, "service_off", `${service} cannot be asked; ${why}`);
}

/** What stands behind "fetch failed". */
export function whyOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "TimeoutError") return "nothing came in time";
  return error.cause instanceof Error ? error.cause.message : error.message;
}

function unreachable(url: string, error: unknown): CommandError {
  const message = `${originOf(url)} does not answer (${whyOf(error)}); is the fleet running? "npx pnpm signalbox doctor" looks closer`;
  return new CommandError(exitCodes.unreachable, "unreachable", message);
}

const codesByStatus: Record<number, ExitCode> = {
  401: exitCodes.refused,
  403: exitCodes.refused,
  409: exitCodes.conflict,
  412: exitCodes.conflict,
  428: exitCodes.conflict,
};

async function toRefusal(response: Response, url: string): Promise<CommandError> {
  const text = await response.text().catch(() => "");
  const said = findError(text);
  const code = codesByStatus[response.status] ?? toCode(response.status);
  if (response.status === 401) {
    return new CommandError(
      code,
      "unauthorized",
      `${originOf(url)} refuses this login; check SIGNALBOX_USER and SIGNALBOX_PASS`,
    );
  }
  return new CommandError(
    code,
    said?.code ?? `http_${response.status}`,
    said?.message ?? `${originOf(url)} answered ${response.status}`,
    said?.details,
  );
}

/** Overloaded or down is like away; everything else is about what was asked. */
function toCode(status: number): ExitCode {
  return status >= 500 || status === 429 ? exitCodes.unreachable : exitCodes.usage;
}

function findError(text: string): { code: string; message: string; details?: unknown[] } | null {
  try {
    const { error } = JSON.parse(text) as { error?: { code: string; message: string; details?: unknown[] } };
    return error?.code ? error : null;
  } catch {
    return null;
  }
}
