import { buildRunRoutes, defineTaskType, type RunnableType } from "@signalbox/common/agent.ts";
import type { Route } from "@signalbox/common/route.ts";
import type { Context } from "../context.ts";
import { ackFinding, declineFinding, getFinding, listFindings, resolveFinding, snoozeFinding } from "./findings.ts";
import { dryRunMonitor, getMonitor, listMonitors, putMonitor } from "./monitors.ts";
import { receiveWebhook } from "./receive-webhook.ts";
import {
  Annotate,
  CreateIssue,
  runAnnotate,
  runCreateIssue,
  runSetFlag,
  runWakeup,
  runWatch,
  SetFlag,
  WatchRun,
  WatchWakeup,
} from "./run-tasks.ts";
import { getWakeups, putWakeups } from "./wakeups.ts";
import { askForRun, getRun, getStatus, resumeExecuting, stopExecuting } from "./watch.ts";

/** Every route, those of the task types too. */
export function buildRoutes(context: Context): Route[] {
  return [...buildRunRoutes(buildTypes(context, [])), ...buildOwnRoutes(context)];
}

export function buildOwnRoutes(context: Context): Route[] {
  return [
    ...[listFindings, getFinding, ackFinding, snoozeFinding, resolveFinding, declineFinding],
    ...[listMonitors, getMonitor, putMonitor, dryRunMonitor],
    ...[getWakeups, putWakeups, askForRun, getRun, getStatus, stopExecuting, resumeExecuting, receiveWebhook],
  ].map((build) => build(context));
}

/** @param unasked types that mode and list let run without anybody being asked */
export function buildTypes(context: Context, unasked: readonly string[]): RunnableType[] {
  const consentOf = (type: string) => (unasked.includes(type) ? {} : { approval: "required" as const });
  return [
    defineTaskType({
      type: "watch.run",
      path: "/run/watch",
      description: "Looks at all monitors, or at one",
      payloadSchema: WatchRun,
      maxConcurrency: 2,
      timeoutMs: 300_000,
      run: (run) => runWatch(context, run),
    }),
    defineTaskType({
      type: "watch.wakeup",
      path: "/run/wakeup",
      description: "Gathers what happened in a day into one message",
      payloadSchema: WatchWakeup,
      maxConcurrency: 2,
      timeoutMs: 300_000,
      run: (run) => runWakeup(context, run),
    }),
    defineTaskType({
      type: "posthog.flag.set",
      path: "/run/flag-set",
      description:
        "Switches a PostHog feature flag on or off, if it still is what was decided about; its result has an undo",
      payloadSchema: SetFlag,
      maxConcurrency: 1,
      timeoutMs: 60_000,
      ...consentOf("posthog.flag.set"),
      run: (run) => runSetFlag(context, run),
    }),
    defineTaskType({
      type: "posthog.annotate",
      path: "/run/annotate",
      description: "Writes an annotation into PostHog, once",
      payloadSchema: Annotate,
      maxConcurrency: 1,
      timeoutMs: 60_000,
      run: (run) => runAnnotate(context, run),
    }),
    // Without a repository nobody could run it; a proposal of it says so on its finding.
    ...(context.github === null
      ? []
      : [
          defineTaskType({
            type: "github.issue.create",
            path: "/run/issue",
            description: "Writes an issue into the repository of POSTHOG_ISSUE_REPO, once",
            payloadSchema: CreateIssue,
            maxConcurrency: 1,
            timeoutMs: 60_000,
            ...consentOf("github.issue.create"),
            run: (run) => runCreateIssue(context, run),
          }),
        ]),
  ];
}
