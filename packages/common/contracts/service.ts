import { type Static, Type } from "typebox";

const closed = { additionalProperties: false } as const;

export const Health = Type.Object(
  {
    status: Type.Enum(["ok", "degraded"]),
    service: Type.String(),
    version: Type.String(),
    uptimeSeconds: Type.Number(),
  },
  closed,
);
export type Health = Static<typeof Health>;

export const Ready = Type.Object(
  {
    ready: Type.Boolean(),
    checks: Type.Array(
      Type.Object({ name: Type.String(), ok: Type.Boolean(), message: Type.Optional(Type.String()) }, closed),
    ),
  },
  closed,
);
export type Ready = Static<typeof Ready>;

export const SettingReport = Type.Object(
  {
    key: Type.String(),
    status: Type.Enum(["set", "default", "missing", "invalid"]),
    required: Type.Boolean(),
    secret: Type.Boolean(),
    message: Type.Optional(Type.String()),
  },
  closed,
);

/** What `/config/validate` answers: never a value of a secret. */
export const ConfigReport = Type.Object(
  {
    service: Type.String(),
    ok: Type.Boolean(),
    schemaHash: Type.String(),
    settings: Type.Array(SettingReport),
  },
  closed,
);
export type ConfigReport = Static<typeof ConfigReport>;
