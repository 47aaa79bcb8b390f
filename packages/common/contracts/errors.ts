import { type Static, Type } from "typebox";

/** Every `error.code` that an answer may carry, with the HTTP status it comes with. */
export const errorStatuses = {
  invalid_request: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  request_timeout: 408,
  version_conflict: 409,
  idempotency_conflict: 409,
  lease_lost: 409,
  limit_reached: 409,
  plan_stale: 409,
  apply_in_progress: 409,
  already_exists: 409,
  no_rollback_target: 409,
  payload_too_large: 413,
  unsupported_media_type: 415,
  illegal_transition: 422,
  unsupported_task_type: 422,
  blueprint_invalid: 422,
  render_refused: 422,
  upgrade_required: 426,
  precondition_required: 428,
  rate_limited: 429,
  headers_too_large: 431,
  internal: 500,
  unavailable: 503,
} as const;

export type ErrorCode = keyof typeof errorStatuses;

export const ErrorReply = Type.Object(
  {
    error: Type.Object(
      {
        code: Type.String({ description: "snake_case, for programs" }),
        message: Type.String({ description: "for a person" }),
        details: Type.Optional(Type.Array(Type.Unknown())),
        traceId: Type.Optional(Type.String()),
      },
      { additionalProperties: false },
    ),
  },
  { additionalProperties: false, description: "The one shape of every error" },
);
export type ErrorReply = Static<typeof ErrorReply>;
