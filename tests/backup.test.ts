import { spawn } from "node:child_process";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TaskEvent } from "@signalbox/common/contracts/event.ts";
import type { Log } from "@signalbox/common/contracts/log.ts";
import type { Task } from "@signalbox/common/contracts/task.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { repositoryRoot } from "@signalbox/testing/repository.ts";
import { expect, test } from "vitest";
import { type Client, connectClient, type FleetPlace, fleetPlace, readFleetFile, runStart } from "./fleet.fixture.ts";

type Result = { code: number | null; out: string; err: string };

function signalbox(place: FleetPlace, words: string[]): Promise<Result> {
  const child = spawn(process.execPath, [join(repositoryRoot, "packages/cli/signalbox.ts"), ...words], {
    env: { PATH: process.env.PATH ?? "", HOME: place.home, SIGNALBOX_HOME: place.home },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [out, err] = ["", ""];
  child.stdout.on("data", (chunk) => (out += chunk));
  child.stderr.on("data", (chunk) => (err += chunk));
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, out, err })));
}

type Seen = { tasks: (Task & { events: TaskEvent[] })[]; logs: Log[] };

/** Everything that a person can see of tasks that have ended, and of their logs. */
async function look(place: FleetPlace, client: Client, ids: string[]): Promise<Seen> {
  const { services } = await readFleetFile(place);
  const tasks = await Promise.all(ids.map((id) => client.getTask(id)));
  const logs = await Promise.all(
    ids.map(async (id) => {
      const response = await fetch(`${services.logging?.url}/logs?taskId=${id}`, {
        headers: { authorization: client.authorization },
      });
      return ((await response.json()) as { items: Log[] }).items;
    }),
  );
  return { tasks, logs: logs.flat() };
}

test("backup, destroy, restore: the same tasks, events and logs, and a fleet that goes on", async () => {
  await using place = await fleetPlace();
  const ids: string[] = [];
  let [before, fleetFile]: [Seen | null, string] = [null, ""];
  {
    await using fleet = runStart(place);
    await fleet.says(/Ready after/, 90_000);
    const client = await connectClient(place);
    const payloads = [null, { text: 'quotes " and \\ and\nlines' }, [1.5, "ä😀"], { failPermanently: "No paper." }];
    for (const payload of payloads) ids.push((await client.createTask(payload)).id);
    await Promise.all(ids.map((id) => client.whenEnded(id)));
    await eventually(async () => (await look(place, client, ids)).logs.length >= ids.length, {
      timeoutMs: 20_000,
      what: "the logs of the tasks",
    });
    before = await look(place, client, ids);
    const made = await signalbox(place, ["backup", "--json"]);
    expect(made).toMatchObject({ code: 0 });
    expect(await signalbox(place, ["restore", JSON.parse(made.out).file])).toMatchObject({
      code: 5,
      err: expect.stringContaining("a fleet runs on"),
    });
    fleetFile = await readFile(join(place.home, "fleet.json"), "utf8");
    // After the backup: what it does not know, the restored fleet does not know.
    const late = await client.createTask({ late: true });
    await client.whenEnded(late.id);
    ids.push(late.id);
    expect(await fleet.stop()).toMatchObject({ code: 0 });
  }
  const lateId = ids.pop() ?? "";
  // As a machine leaves it behind that lost its power: the file says that a fleet runs, and none does.
  await writeFile(join(place.home, "fleet.json"), fleetFile);
  expect(await signalbox(place, ["backup", "--to", join(place.home, "elsewhere")])).toMatchObject({ code: 0 });
  await rm(join(place.home, "postgres"), { recursive: true });
  const [file = ""] = await readdir(join(place.home, "backups"));
  expect(await signalbox(place, ["restore", join(place.home, "backups", file)])).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^tasks +\d+$/m),
  });
  await using fleet = runStart(place);
  await fleet.says(/Ready after/, 90_000);
  const client = await connectClient(place);
  const after = await look(place, client, ids);
  expect(after.tasks).toEqual(before?.tasks);
  expect(after.logs).toEqual(expect.arrayContaining(before?.logs ?? []));
  expect((await client.call("GET", `/task/${lateId}`)).status).toBe(404);
  const next = await client.createTask({ after: "the restore" });
  expect((await client.whenEnded(next.id)).status).toBe("completed");
}, 240_000);
