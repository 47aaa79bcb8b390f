import type { CreateTask } from "@signalbox/common/contracts/task.ts";
import type { Schema } from "./schema.ts";

type Options = Omit<CreateTask, "type" | "payload" | "traceId">;

const properties: Record<keyof Options, Schema> = {
  source: { type: "string", title: "Source", minLength: 1, maxLength: 200, default: "dashboard" },
  correlationId: {
    type: "string",
    title: "Correlation",
    maxLength: 200,
    description: "Your own id for what belongs together",
  },
  priority: {
    type: "integer",
    title: "Priority",
    minimum: -100,
    maximum: 100,
    description: "Higher first; 0 when empty",
  },
  runAt: {
    type: "string",
    format: "date-time",
    title: "Run at",
    description: "Not before this instant; at once when empty",
  },
  maxAttempts: { type: "integer", title: "Attempts at most", minimum: 1, maximum: 25, description: "3 when empty" },
  timeoutMs: {
    type: "integer",
    title: "Timeout in ms",
    minimum: 1,
    maximum: 86_400_000,
    description: "30000 when empty",
  },
  concurrencyKey: {
    type: "string",
    title: "Concurrency key",
    minLength: 1,
    maxLength: 500,
    description: "Tasks with one key run one at a time",
  },
  userKey: { type: "string", title: "User key", minLength: 1, maxLength: 500 },
  parentId: { type: "string", title: "Parent task", format: "uuid" },
  approval: {
    type: "object",
    title: "Approval",
    description: "The task waits until a person approves it",
    required: ["required"],
    additionalProperties: false,
    properties: {
      required: { type: "boolean", title: "A person must approve it", default: true },
      reason: { type: "string", title: "Reason", maxLength: 400 },
      expiresInSeconds: { type: "integer", title: "Expires in seconds", minimum: 1, maximum: 31_536_000 },
    },
  },
};

/** Everything but the type and the payload that a new task can be given, as the form draws it. */
export const optionsSchema: Schema = { type: "object", properties, additionalProperties: false };
