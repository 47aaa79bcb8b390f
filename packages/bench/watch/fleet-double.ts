import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import type { MonthPlan } from "@signalbox/testing/posthog-stand-in/month.ts";
import { readBytes } from "@signalbox/testing/read-bytes.ts";

export type FleetDouble = AsyncDisposable & {
  url: string /** types of the tasks that were asked for */;
  made: string[];
};

/** As much of an orchestrator as the watcher of a planned month needs: the deploys that have happened, and an ear for tasks. */
export async function startFleetDouble(plan: MonthPlan, now: () => number): Promise<FleetDouble> {
  const made: string[] = [];
  const server = createServer((request, response) => {
    answer(request, { plan, now, made }).then(
      (body) => response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body)),
      () => response.destroy(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    made,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

type Known = { plan: MonthPlan; now: () => number; made: string[] };

async function answer(request: IncomingMessage, { plan, now, made }: Known): Promise<unknown> {
  const { pathname, searchParams } = new URL(request.url ?? "/", "http://double");
  const text = (await readBytes(request)).toString("utf8");
  if (request.method === "POST" && pathname === "/task") {
    made.push((JSON.parse(text) as { type: string }).type);
    return { id: randomUUID(), status: "queued" };
  }
  if (pathname !== "/tasks" || searchParams.get("type") !== "render.deploy") return { items: [], nextCursor: null };
  const [since, until] = ["since", "until"].map((key) => Date.parse(searchParams.get(key) ?? ""));
  const deploys = plan.deploys.filter(({ at }) => at >= (since ?? 0) && at <= Math.min(until ?? now(), now()));
  return { items: deploys.map(toTask), nextCursor: null };
}

function toTask({ name, at }: { name: string; at: number }) {
  const finishedAt = new Date(at).toISOString();
  return {
    id: `deploy-${name}`,
    type: "render.deploy",
    status: "completed",
    payload: { name },
    finishedAt,
    updatedAt: finishedAt,
  };
}
