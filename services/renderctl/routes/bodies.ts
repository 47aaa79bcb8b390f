import { Type } from "typebox";

const closed = { additionalProperties: false } as const;

/** An id of Render's; whether it is one of an account is Render's to say. */
export const RenderId = Type.String({ minLength: 1, maxLength: 100, pattern: "^[A-Za-z0-9][A-Za-z0-9_-]*$" });
export const OnService = Type.Object({ id: RenderId }, closed);

const mostVariables = 500;
const longestValue = 65_536;
const variableName = { pattern: "^[-._a-zA-Z][-._a-zA-Z0-9]*$", maxLength: 256 };

/** As a task carries them: every value is kept encrypted, and read nowhere but here. */
const EnvValues = Type.Unsafe<Record<string, string>>(
  Type.Object(
    {},
    {
      additionalProperties: Type.String({ maxLength: longestValue, writeOnly: true }),
      propertyNames: variableName,
      maxProperties: mostVariables,
    },
  ),
);

/** As a person says them: a number or yes-or-no becomes its text. */
const EnvInput = Type.Unsafe<Record<string, string | number | boolean>>(
  Type.Object(
    {},
    {
      additionalProperties: Type.Union([
        Type.String({ maxLength: longestValue, writeOnly: true }),
        Type.Number({ writeOnly: true }),
        Type.Boolean({ writeOnly: true }),
      ]),
      propertyNames: variableName,
      maxProperties: mostVariables,
    },
  ),
);

export function toTexts(env: Record<string, string | number | boolean>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).map(([key, value]) => [key, String(value)]));
}

const text = (maxLength = 1_000) => Type.Optional(Type.String({ minLength: 1, maxLength }));
const types = ["static_site", "web_service", "private_service", "background_worker", "cron_job"] as const;
const runtimes = ["docker", "elixir", "go", "node", "python", "ruby", "rust", "image"] as const;
const regions = ["frankfurt", "oregon", "ohio", "singapore", "virginia"] as const;
export const ServiceTypeName = Type.Enum([...types]);

const serviceMembers = {
  name: Type.String({ minLength: 1, maxLength: 200 }),
  type: ServiceTypeName,
  repo: text(),
  branch: text(250),
  rootDir: Type.Optional(Type.String({ maxLength: 1_000 })),
  runtime: Type.Optional(Type.Enum([...runtimes])),
  plan: text(100),
  region: Type.Optional(Type.Enum([...regions])),
  buildCommand: Type.Optional(Type.String({ maxLength: 10_000 })),
  startCommand: Type.Optional(Type.String({ maxLength: 10_000 })),
  publishPath: text(),
  schedule: text(200),
  healthCheckPath: text(),
  dockerfilePath: text(),
  ownerId: text(100),
  autoDeploy: Type.Optional(Type.Boolean({ description: "deploy on every push; default true" })),
};

export const NewServiceBody = Type.Object({ ...serviceMembers, env: Type.Optional(EnvInput) }, closed);
export const NewServicePayload = Type.Object({ ...serviceMembers, env: Type.Optional(EnvValues) }, closed);

const deployMembers = {
  clearCache: Type.Optional(Type.Boolean({ description: "build without what earlier builds have kept" })),
  commitId: Type.Optional(Type.String({ pattern: "^[0-9a-fA-F]{7,64}$" })),
};
export const DeployBody = Type.Object(deployMembers, closed);
export const DeployPayload = Type.Object({ serviceId: RenderId, ...deployMembers }, closed);

const rollbackMembers = {
  deployId: Type.Optional(
    Type.String({ ...RenderId, description: "default: the last good one before the one that is live" }),
  ),
};
export const RollbackBody = Type.Object(rollbackMembers, closed);
export const RollbackPayload = Type.Object({ serviceId: RenderId, ...rollbackMembers }, closed);
export const CancelPayload = Type.Object({ serviceId: RenderId, deployId: RenderId }, closed);

const envMembers = {
  clear: Type.Optional(Type.Boolean({ description: "also removes every key that is not named" })),
  deploy: Type.Optional(Type.Boolean({ description: "deploys afterwards, so that the service sees them" })),
};
export const EnvBody = Type.Object({ env: EnvInput, ...envMembers }, closed);
export const EnvPayload = Type.Object({ serviceId: RenderId, env: EnvValues, ...envMembers }, closed);
