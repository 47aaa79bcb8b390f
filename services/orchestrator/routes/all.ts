import type { Route } from "@signalbox/common/route.ts";
import type { Context } from "../context.ts";
import { answerTask, approveTask, cancelTask, rejectTask, retryTask } from "./act-on-task.ts";
import { heartbeat, listAgents, listTaskTypes } from "./agents.ts";
import { createTask } from "./create-task.ts";
import { getDelivery, listDeliveries, replayDelivery } from "./deliveries.ts";
import { patchTask } from "./patch-task.ts";
import { getTaskStats, getTaskTree, getTrace } from "./read-many.ts";
import { getTask, listEvents, listTasks } from "./read-task.ts";
import { receiveDelivery, receiveGithub } from "./receive-delivery.ts";
import { noteAgentEvent, noteFromOutside, reportProgress } from "./report-run.ts";
import { acceptEvent, getRun } from "./runs.ts";
import { createSchedule, deleteSchedule, getSchedule, listSchedules, patchSchedule, runSchedule } from "./schedules.ts";
import { socketOnly, stream, taskStream } from "./stream.ts";
import { createSubscription, deleteSubscription, listSubscriptions, patchSubscription } from "./subscriptions.ts";

/** Every route of the orchestrator besides those that all services have. */
export function buildRoutes(context: Context): Route[] {
  const builders = [
    createTask,
    getTask,
    listTasks,
    patchTask,
    listEvents,
    cancelTask,
    retryTask,
    approveTask,
    rejectTask,
    answerTask,
    reportProgress,
    noteAgentEvent,
    noteFromOutside,
    heartbeat,
    listAgents,
    listTaskTypes,
    getTaskTree,
    getTaskStats,
    getTrace,
    acceptEvent,
    getRun,
    createSchedule,
    listSchedules,
    getSchedule,
    patchSchedule,
    deleteSchedule,
    runSchedule,
    receiveGithub,
    receiveDelivery,
    listDeliveries,
    getDelivery,
    replayDelivery,
    createSubscription,
    listSubscriptions,
    patchSubscription,
    deleteSubscription,
    stream,
    taskStream,
    socketOnly,
  ];
  return builders.map((build) => build(context));
}
