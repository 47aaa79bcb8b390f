import { freshDatabase } from "@signalbox/testing/database.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { startService } from "@signalbox/testing/service-process.ts";
import { expect, test } from "vitest";

/*
 * Another chat than Telegram needs nothing of Signalbox but its public API: here is one, whole, in a few lines. It knows an
 * address and a password, and not one file of a service.
 */
class LineChat {
  /** what people see, by conversation */
  readonly shown = new Map<string, string[]>();
  readonly #url: string;
  readonly #headers: Record<string, string>;
  #count = 0;

  constructor(url: string, login: string) {
    this.#url = url;
    this.#headers = { authorization: `Basic ${btoa(login)}`, "content-type": "application/json" };
  }

  async say(room: string, person: string, text: string): Promise<void> {
    const event = { schema_version: 1, type: "cli.message", conversation_key: `line:${room}`, user_key: person, text };
    const headers = { "idempotency-key": `line:${room}:${++this.#count}` };
    // A network that loses the answer makes a client ask twice; the key makes it one run.
    const [first, again] = await Promise.all([
      this.#call("POST", "/v1/events", event, headers),
      this.#call("POST", "/v1/events", event, headers),
    ]);
    expect(again.run_id).toBe(first.run_id);
    void this.#relay(room, String(first.run_id));
  }

  async #relay(room: string, run: string): Promise<void> {
    const ended = await eventually(async () => {
      const state = await this.#call("GET", `/v1/runs/${run}`);
      return state.status !== "running" && state;
    });
    this.shown.set(room, [
      ...(this.shown.get(room) ?? []),
      String(ended.output ?? (ended.error as { code: string }).code),
    ]);
  }

  /** Decides what waits, at the version that it was shown. */
  async approve(id: string, ifVersion: number): Promise<string> {
    return String((await this.#call("POST", `/task/${id}/approve`, { ifVersion })).status);
  }

  async ask(body: object): Promise<{ id: string; version: number }> {
    return (await this.#call("POST", "/task", body)) as { id: string; version: number };
  }

  async #call(method: string, path: string, body?: object, headers = {}): Promise<Record<string, unknown>> {
    const all = { ...this.#headers, ...headers };
    const response = await fetch(this.#url + path, {
      method,
      headers: all,
      ...(body && { body: JSON.stringify(body) }),
    });
    return (await response.json()) as Record<string, unknown>;
  }
}

test("a chat of another kind is held by the public API alone: every message is answered once, and what waits is decided", async () => {
  await using database = await freshDatabase();
  const env = {
    BASIC_AUTH_USER: "operator",
    BASIC_AUTH_PASS: "a-test-password",
    INTERNAL_KEY: "the-internal-key",
    LOGGING_URL: "http://127.0.0.1:9",
    LOG_LEVEL: "fatal",
  };
  await using orchestrator = await startService({
    main: "services/orchestrator/main.ts",
    env: {
      ...env,
      DATABASE_URL: database.url,
      RATE_LIMIT_USER_PER_MINUTE: "1000",
      RATE_LIMIT_GLOBAL_PER_MINUTE: "1000",
    },
  });
  await using echo = await startService({
    main: "services/echo-agent/main.ts",
    env: { ...env, ORCHESTRATOR_URL: orchestrator.url },
  });
  expect(echo.pid).toBeGreaterThan(0);
  const chat = new LineChat(orchestrator.url, "operator:a-test-password");
  await eventually(async () => (await chat.ask({ type: "echo" })).id);

  for (let count = 1; count <= 5; count++) {
    await chat.say("kitchen", "ann", `kitchen ${count}`);
    await chat.say("garden", "bob", `garden ${count}`);
  }
  for (const room of ["kitchen", "garden"]) {
    const wanted = Array.from({ length: 5 }, (_, index) => `${room} ${index + 1}`);
    await eventually(() => chat.shown.get(room)?.length === 5, { what: `the answers in the ${room}` });
    expect([...(chat.shown.get(room) ?? [])].sort()).toEqual(wanted);
  }
  const task = await chat.ask({ type: "echo", approval: { required: true } });
  expect(await chat.approve(task.id, task.version)).toBe("queued");
});
