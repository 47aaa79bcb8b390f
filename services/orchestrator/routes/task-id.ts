import { Uuid } from "@signalbox/common/contracts/primitives.ts";
import type { Task } from "@signalbox/common/contracts/task.ts";
import { ApiError, notFound } from "@signalbox/common/errors.ts";
import { type Static, Type } from "typebox";
import type { Refusal } from "../patch.ts";
import type { Changed } from "../store/change-task.ts";

export const TaskId = Type.Object({ id: Uuid }, { additionalProperties: false });
export type TaskId = Static<typeof TaskId>;

/** The task of a change that went through, or that changed nothing. @throws ApiError for every other ending */
export function toChangedTask(id: string, changed: Changed<Refusal>): { task: Task; isChange: boolean } {
  if (changed.kind === "missing") throw notFound("task", id);
  if (changed.kind === "refused") throw toRefused(changed.because, changed.task);
  return { task: changed.task, isChange: changed.kind === "changed" };
}

function toRefused(because: Refusal, task: Task): ApiError {
  const details =
    because.code === "version_conflict"
      ? [{ currentVersion: because.currentVersion, task }]
      : [{ status: task.status, version: task.version }];
  return new ApiError(because.code, because.message, { details });
}

/** A version that the caller says it saw. @throws ApiError 400 when header and body differ, 428 when neither was sent */
export function parseSeenVersion(ifMatch: string | string[] | undefined, ifVersion: number | undefined): number {
  const fromHeader = parseIfMatch(ifMatch);
  if (fromHeader !== null && ifVersion !== undefined && fromHeader !== ifVersion) {
    throw new ApiError("invalid_request", "If-Match and ifVersion name different versions; send one of them.", {
      details: [{ path: "/ifVersion", message: "differs from If-Match" }],
    });
  }
  const version = ifVersion ?? fromHeader;
  if (version === null) {
    throw new ApiError(
      "precondition_required",
      'Say which version you saw: "ifVersion" in the body or If-Match: "<version>".',
    );
  }
  return version;
}

/** The attempt that a caller names, as a number that the database can hold: of those beyond, none has ever run. */
export function toAttempt(named: number): number {
  return Math.min(named, 2_147_483_647);
}

function parseIfMatch(header: string | string[] | undefined): number | null {
  if (header === undefined) return null;
  const found = typeof header === "string" ? /^"(\d{1,10})"$/.exec(header.trim()) : null;
  if (!found) {
    throw new ApiError("invalid_request", 'If-Match must be one version in quotes, such as If-Match: "3".', {
      details: [{ path: "", message: 'has an If-Match that is not "<version>"' }],
    });
  }
  return Number(found[1]);
}
