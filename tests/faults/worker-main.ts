import { appendFileSync } from "node:fs";
import { setTimeout as rest } from "node:timers/promises";
import { agentSettings, defineTaskType, type RunnableType, serveAgent } from "@signalbox/common/agent.ts";
import { AgentError, type RunContext, type RunOutcome } from "@signalbox/common/agent-run.ts";
import { runMain } from "@signalbox/common/run-main.ts";
import { defineSettings, portSetting } from "@signalbox/common/settings.ts";
import { Type } from "typebox";

/*
 * The agents of the suite: they do what a payload asks for, and append what they did to a file. The file is what the checker
 * believes about runs: a line is in the page cache before the answer leaves, so a SIGKILL takes none away.
 */

type Payload = {
  key?: string;
  ms?: number;
  fails?: number;
  final?: boolean;
  steps?: number;
  waitsFor?: "input" | "approval";
  token?: string;
};

const settings = defineSettings("worker", {
  ...agentSettings,
  PORT: portSetting(4900),
  RUNS_FILE: Type.String({ title: "a file", description: "Where runs are written down" }),
  TOKEN: Type.String({ title: "a secret", description: "What secret members must read", writeOnly: true }),
});

/** One clock for all processes of a machine, whatever their wall clocks say. */
function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000;
}

await runMain(settings, process.env, ({ RUNS_FILE: file, TOKEN: token, ...own }, report) => {
  const write = (letter: "b" | "e", { taskId, attempt }: RunContext, word: string) =>
    appendFileSync(file, `${letter} ${taskId} ${attempt} ${word} ${monotonicMs().toFixed(3)}\n`);

  const recorded =
    (work: (context: RunContext<Payload>) => Promise<RunOutcome>) =>
    async (context: RunContext): Promise<RunOutcome> => {
      const run = context as RunContext<Payload>;
      write("b", context, run.payload.key ?? "-");
      try {
        const outcome = await work(run);
        // A deferred run ends when its work does.
        if (!("deferred" in outcome)) write("e", context, "answered");
        return outcome;
      } catch (error) {
        write("e", context, context.signal.aborted ? "gone" : "answered");
        throw error;
      }
    };

  async function take({ payload, signal, attempt }: RunContext<Payload>): Promise<RunOutcome> {
    await rest(payload.ms ?? 0, undefined, { signal });
    if (payload.final) throw new AgentError("as asked, for good", { code: "as_asked" });
    if (attempt <= (payload.fails ?? 0)) throw new AgentError("as asked, for now", { code: "later", retryable: true });
    if (payload.token !== undefined && payload.token !== token) throw new AgentError("the secret is not the secret");
    return { result: { attempt } };
  }

  async function defer(context: RunContext<Payload>): Promise<RunOutcome> {
    const { payload, signal, progress, attempt } = context;
    return context.defer(async () => {
      try {
        for (let at = 0; at < (payload.steps ?? 2); at++) {
          await rest(payload.ms ?? 0, undefined, { signal });
          await progress(`step ${at}`, at);
        }
        write("e", context, "answered");
        return { attempt };
      } catch (error) {
        write("e", context, "gone");
        throw error;
      }
    });
  }

  async function ask(context: RunContext<Payload>): Promise<RunOutcome> {
    const { payload, attempt, input } = context;
    const isAnswered = payload.waitsFor === "input" ? input !== undefined : attempt > 1;
    if (!isAnswered) return { waiting: { for: payload.waitsFor ?? "input", prompt: "may I?" } };
    return { result: { attempt, input: input ?? null } };
  }

  const shared = { path: "/run", maxConcurrency: 20, timeoutMs: 5_000 };
  const secret = Type.Object({ token: Type.String({ writeOnly: true }) }, { additionalProperties: true });
  const plain = ["quick", "slow", "flaky", "doomed", "line", "family", "tick"].map((type) =>
    defineTaskType({ ...shared, type, run: recorded(take) }),
  );
  const types: RunnableType[] = [
    ...plain,
    defineTaskType({ ...shared, type: "deferred", run: recorded(defer) }),
    defineTaskType({ ...shared, type: "asks", run: recorded(ask) }),
    defineTaskType({ ...shared, type: "secretive", payloadSchema: secret, run: recorded(take) }),
  ];
  return serveAgent({ settings: own, name: "worker", version: "1.0.0", report, types });
});
