/** Looks after what no stream tells: agents that are gone, messages that a task's audit does not know yet, rows that are too old. */

import { CallError } from "@signalbox/common/fleet-call.ts";
import { rest } from "@signalbox/common/tail.ts";
import { type AgentChange, judgeAgents, type Known } from "../agent-watch.ts";
import type { NoticeBody } from "../notice.ts";
import { judgeNotice } from "../notify-rules.ts";
import { escapeHtml } from "../rich-text.ts";
import type { Unaudited } from "../store/audits.ts";
import type { Kit } from "./kit.ts";

const agentsEveryMs = 10_000;
const auditEveryMs = 1_000;
const forgetEveryMs = 3_600_000;
const agentsKey = "agents";

export async function watchAgents(kit: Kit, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await lookAtAgents(kit).catch((error: unknown) => kit.log.debug({ err: error }, "agents could not be looked at"));
    await rest(agentsEveryMs, signal);
  }
}

async function lookAtAgents({ store, fleet, rules, ring }: Kit): Promise<void> {
  const before = ((await store.findMemory(agentsKey)) ?? {}) as Known;
  const { known, changes } = judgeAgents(before, await fleet.listAgents());
  if (JSON.stringify(known) === JSON.stringify(before)) return;
  await store.together(async (tables) => {
    for (const change of changes) {
      const ruling = judgeNotice(rules.rules, { kind: change.kind, type: null, severity: null });
      if (ruling === null) continue;
      await tables.insertNotice({
        dedupeKey: `${change.kind}:${change.name}:${change.since}`,
        body: toBody(change, ruling),
      });
    }
    await tables.keepMemory({ key: agentsKey, value: known });
  });
  ring("notices");
}

function toBody(change: AgentChange, ruling: NonNullable<ReturnType<typeof judgeNotice>>): NoticeBody {
  const name = `<b>${escapeHtml(change.name)}</b>`;
  const text =
    change.kind === "agent.gone"
      ? `${name} is gone: no instance of it has been heard of since ${change.since.slice(11, 19)} UTC. Its tasks wait.`
      : `${name} is back.`;
  return {
    text,
    severity: change.kind === "agent.gone" ? ruling.severity : "info",
    kind: change.kind,
    incident: `agent:${change.name}`,
    taskId: null,
    version: null,
    buttons: [],
    chats: ruling.chats,
    exceptChat: null,
    isSilent: ruling.isSilent,
    isHtml: true,
  };
}

/** Every message, and every edit of one, that was sent because of a task leaves a side effect in its audit; at least once, with its own id. */
export async function audit(kit: Kit, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const isDone = await auditSome(kit).catch((error: unknown) => {
      kit.log.debug({ err: error }, "the audit of tasks could not be written; this will be tried again");
      return true;
    });
    if (isDone) await rest(auditEveryMs, signal);
  }
}

async function auditSome({ store, fleet }: Kit): Promise<boolean> {
  const messages = [...(await store.listUnaudited(50)), ...(await store.listUnauditedMentions(50))];
  for (const message of messages) {
    await fleet.recordSideEffect(message.taskId, toSideEffect(message)).catch((error: unknown) => {
      // A task that is not there has no audit.
      if (!(error instanceof CallError) || error.isPassing) throw error;
    });
    await store.markAudited(message);
  }
  return messages.length === 0;
}

function toSideEffect({ outboxId, noticeId, chatId, messageId, isRepeat, isEdit }: Unaudited) {
  return {
    ...{ service: "telegram", outboxId, chatId, messageId },
    ...(isRepeat && { repeated: true }),
    ...(isEdit && { edited: true }),
    // Of a message that tells of several.
    ...(noticeId !== null && { noticeId }),
  };
}

export async function forget(kit: Kit, days: number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await kit.store
      .forgetOld(days)
      .catch((error: unknown) => kit.log.warn({ err: error }, "old rows were not forgotten"));
    await rest(forgetEveryMs, signal);
  }
}
