import type { Log } from "@signalbox/common/contracts/log.ts";
import type { Task } from "@signalbox/common/contracts/task.ts";
import type { FilterKey, Vocabulary } from "./filter.ts";
import { levels, statuses } from "./words.ts";

const traceId = {
  pattern: /^[0-9a-f]{32}$/,
  expects: "32 hexadecimal digits",
  example: "trace:4bf92f3577b34da6a3ce929d0e0e4736",
};
const uuid = { pattern: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i, expects: "a task's id" };
const since: FilterKey<unknown> = { param: "since", names: ["since"], kind: "time", example: "since:1h" };
const until: FilterKey<unknown> = {
  param: "until",
  names: ["until"],
  kind: "time",
  example: "until:2026-11-21T12:00:00Z",
};

const text = <Row>(
  param: string,
  names: readonly [string, ...string[]],
  example: string,
  read: (row: Row) => string | null,
): FilterKey<Row> => ({ param, names, kind: "text", example, read });

export const taskVocabulary: Vocabulary<Task> = {
  keys: [
    {
      param: "status",
      names: ["status"],
      kind: "words",
      words: statuses,
      example: "status:failed,waiting",
      read: (task) => task.status,
    },
    text("type", ["type"], "type:render.deploy", (task) => task.type),
    text("source", ["source"], "source:github", (task) => task.source),
    { ...text<Task>("traceId", ["trace", "traceid"], "", (task) => task.traceId), ...traceId },
    text("correlationId", ["correlation", "correlationid"], "correlation:order-17", (task) => task.correlationId),
    { ...text<Task>("parentId", ["parent", "parentid"], "parent:0193a7c4-…", (task) => task.parentId), ...uuid },
    text("concurrencyKey", ["key", "concurrencykey"], "key:deploys", (task) => task.concurrencyKey),
    text("userKey", ["user", "userkey"], "user:4711", (task) => task.userKey),
    {
      param: "waitingFor",
      names: ["waiting", "waitingfor"],
      kind: "words",
      words: ["approval", "input"],
      example: "waiting:approval",
      read: (task) => task.waitingFor,
    },
    since,
    until,
  ],
  textOf: (task) =>
    `${task.type} ${task.source} ${JSON.stringify(task.payload)} ${task.error ? JSON.stringify(task.error) : ""}`,
  atOf: (task) => task.createdAt,
};

export const logVocabulary: Vocabulary<Log> = {
  keys: [
    {
      param: "level",
      names: ["level"],
      kind: "level",
      words: levels,
      example: "level>=warn",
      read: (log) => log.level,
    },
    text("service", ["service"], "service:orchestrator", (log) => log.service),
    { ...text<Log>("traceId", ["trace", "traceid"], "", (log) => log.traceId), ...traceId },
    text("correlationId", ["correlation", "correlationid"], "correlation:order-17", (log) => log.correlationId),
    { ...text<Log>("taskId", ["task", "taskid"], "task:0193a7c4-…", (log) => log.taskId), ...uuid },
    since,
    until,
  ],
  textOf: (log) => `${log.message} ${Object.keys(log.data).length === 0 ? "" : JSON.stringify(log.data)}`,
  atOf: (log) => log.at,
};
