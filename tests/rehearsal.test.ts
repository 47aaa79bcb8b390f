import { eventually } from "@signalbox/testing/eventually.ts";
import { expect, test } from "vitest";
import { connectClient, fleetPlace, readFleetFile, runStart } from "./fleet.fixture.ts";

type Emulators = Record<string, { url: string }>;

async function read<T>(url: string, init?: RequestInit): Promise<T> {
  const response = await fetch(url, init);
  expect(response.ok, `${url} answered ${response.status}`).toBe(true);
  return (await response.json()) as T;
}

test("a rehearsal has stand-ins for all vendors, whatever is set, and every way through them works", async () => {
  await using place = await fleetPlace();
  const real = {
    RENDER_API_TOKEN: "rnd_real",
    RENDER_API_BASE_URL: "http://127.0.0.1:9",
    TELEGRAM_BOT_TOKEN: "1:real",
  };
  await using fleet = runStart(place, real, ["--rehearse"]);
  await fleet.says(/Ready after/, 90_000);
  const file = (await readFleetFile(place)) as Awaited<ReturnType<typeof readFleetFile>> & { emulators: Emulators };
  expect(Object.keys(file.emulators).sort()).toEqual(["github", "posthog", "render", "telegram"]);
  for (const name of ["orchestrator", "logging", "echo-agent", "renderctl", "posthog-watcher", "telegram"]) {
    expect(file.services[name]).toMatchObject({ state: "running" });
  }
  expect(fleet.output()).not.toContain("rnd_real");
  const client = await connectClient(place);
  const authorization = { authorization: client.authorization };

  const services = await read<{ items: unknown[] }>(`${file.services.renderctl?.url}/render/services`, {
    headers: authorization,
  });
  expect(services.items).toEqual(expect.any(Array));

  const said = { chatId: 1_000_001, userId: 1_000_001, text: "hello from the phone" };
  const telegram = file.emulators.telegram?.url;
  await read(`${telegram}/__control/messages`, { method: "POST", body: JSON.stringify(said) });
  await eventually(
    async () =>
      JSON.stringify(await read(`${telegram}/__control/messages?chatId=1000001`)).includes("hello from the phone"),
    { timeoutMs: 30_000, what: "the echo in the chat" },
  );

  const github = file.emulators.github?.url;
  const [hook] = await read<{ id: number }[]>(`${github}/__control/hooks`);
  const push = {
    ref: "refs/heads/main",
    repository: { full_name: "acme/shop" },
    sender: { login: "ada", type: "User" },
  };
  await read(`${github}/__control/deliveries`, {
    method: "POST",
    body: JSON.stringify({ hookId: hook?.id, event: "push", payload: push }),
  });
  await eventually(
    async () => (await client.call<{ items: unknown[] }>("GET", "/tasks?type=github.event")).body.items.length === 1,
    { timeoutMs: 30_000, what: "the task of the push" },
  );
}, 180_000);
