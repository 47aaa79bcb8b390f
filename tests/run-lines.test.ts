import { freshDatabase } from "@signalbox/testing/database.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { type ServiceProcess, startService } from "@signalbox/testing/service-process.ts";
import { expect, test } from "vitest";

const credentials = { BASIC_AUTH_USER: "operator", BASIC_AUTH_PASS: "a-test-password", INTERNAL_KEY: "a-test-key" };
const headers = { "x-internal-key": credentials.INTERNAL_KEY, "content-type": "application/json" };
const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";

type Line = { service: string; traceId: string; correlationId: string; data: Record<string, unknown> };

test("every line of a run says which task, type, line of tasks and process it is about, in each service it went through", async () => {
  await using database = await freshDatabase();
  const running: ServiceProcess[] = [];
  const start = async (name: string, env: Record<string, string>) => {
    const own = { ...credentials, RUN_ID: `${name}-1a2b`, LOG_LEVEL: "debug", ...env };
    const service = await startService({ main: `services/${name}/main.ts`, env: own });
    running.push(service);
    return service.url;
  };
  try {
    const logging = await start("logging", { DATABASE_URL: database.url });
    const orchestrator = await start("orchestrator", { DATABASE_URL: database.url, LOGGING_URL: logging });
    await start("echo-agent", { ORCHESTRATOR_URL: orchestrator, LOGGING_URL: logging });
    const make = async () => {
      const task = {
        type: "echo",
        payload: { failTimes: 1 },
        maxAttempts: 2,
        concurrencyKey: "Größe 7",
        correlationId: "order-7",
      };
      const response = await fetch(`${orchestrator}/task`, {
        method: "POST",
        headers: { ...headers, prefer: "wait=20", traceparent: `00-${traceId}-00f067aa0ba902b7-01` },
        body: JSON.stringify(task),
      });
      return response.status === 201 ? ((await response.json()) as { id: string; status: string }) : null;
    };
    const { id, status } = await eventually(make, { what: "a type that an agent has registered" });
    expect(status).toBe("completed");
    const lines = await eventually(async () => {
      const { items } = (await (await fetch(`${logging}/logs?taskId=${id}`, { headers })).json()) as { items: Line[] };
      return new Set(items.map(({ service }) => service)).size === 2 && items;
    });
    for (const { service, data, ...line } of lines) {
      expect(line).toMatchObject({ traceId, correlationId: "order-7" });
      expect(data).toMatchObject({ taskType: "echo", concurrencyKey: "Größe 7", runId: `${service}-1a2b` });
    }
  } finally {
    await Promise.all(running.map((service) => service.stop("SIGKILL")));
  }
});
