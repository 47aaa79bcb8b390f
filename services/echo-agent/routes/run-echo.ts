import { setTimeout as rest } from "node:timers/promises";
import { AgentError, type RunContext, type RunOutcome } from "@signalbox/common/agent-run.ts";
import { type Knobs, knobsOf, planSteps, textOf, withoutOriginal } from "../knobs.ts";

export const serviceName = "echo-agent";

/** Mirrors the payload, in the way that its knobs ask for. */
export async function echo(context: RunContext, isMessage: boolean): Promise<RunOutcome> {
  const knobs = knobsOf(context.payload);
  if (knobs.defer === true) {
    // A PATCH can only end a task; an attempt that is to be tried again must be refused before it is deferred.
    failForNow(context, knobs);
    return context.defer(() => mirror(context, knobs, isMessage));
  }
  return { result: await mirror(context, knobs, isMessage) };
}

async function mirror(context: RunContext, knobs: Knobs, isMessage: boolean): Promise<Record<string, unknown>> {
  await takeTime(context, knobs);
  failForGood(knobs);
  failForNow(context, knobs);
  const payload = withoutOriginal(context);
  const reply = { echo: payload, service: serviceName, at: new Date().toISOString() };
  return isMessage ? { ...reply, output: textOf(payload) } : reply;
}

async function takeTime({ signal, progress }: RunContext, knobs: Knobs): Promise<void> {
  const steps = planSteps(knobs);
  if (steps.length === 0) await rest(knobs.delayMs ?? 0, undefined, { signal });
  for (const [index, { afterMs, percent }] of steps.entries()) {
    await rest(afterMs, undefined, { signal });
    await progress(`step ${index + 1} of ${steps.length}`, percent);
  }
}

function failForNow({ attempt }: RunContext, { failTimes = 0 }: Knobs): void {
  if (attempt > failTimes) return;
  throw new AgentError(`Attempt ${attempt} of ${failTimes} that fail, as the payload asked.`, {
    code: "failed_as_asked",
    retryable: true,
  });
}

function failForGood({ failPermanently }: Knobs): void {
  if (failPermanently === undefined || failPermanently === false) return;
  const message = failPermanently === true ? "Failed for good, as the payload asked." : failPermanently;
  throw new AgentError(message, { code: "failed_permanently" });
}
