import { agentSettings } from "@signalbox/common/agent.ts";
import { defineSettings, headerSafe, httpUrl, portSetting, serviceSettings } from "@signalbox/common/settings.ts";
import { type Static, Type } from "typebox";

export const settings = defineSettings("renderctl", {
  ...agentSettings,
  PORT: portSetting(4010),
  DATABASE_URL: serviceSettings.DATABASE_URL,
  SECRETS_KEY: Type.Optional(
    Type.String({
      title: "Key for comparing secrets",
      description:
        "Key of the hashes by which values of environment variables are compared; default: one made from INTERNAL_KEY",
      minLength: 16,
      writeOnly: true,
    }),
  ),
  RENDER_API_TOKEN: Type.String({
    title: "printable ASCII without spaces",
    description: "API key of the Render account; without it this service is off",
    minLength: 1,
    pattern: headerSafe,
    writeOnly: true,
  }),
  RENDER_API_BASE_URL: Type.String({
    title: "an http(s) URL",
    description: "Address of Render's API; another one may take its place",
    format: "uri",
    pattern: httpUrl,
    default: "https://api.render.com/v1",
  }),
  RENDER_OWNER_ID: Type.Optional(
    Type.String({
      title: "a workspace id such as tea-… or usr-…",
      description: "Workspace in which services are made; asked for when the token sees several",
      pattern: "^(?:tea|usr)-[A-Za-z0-9]{1,100}$",
    }),
  ),
  RENDER_REPO: Type.Optional(
    Type.String({
      title: "an https URL of a Git repository",
      description:
        "Repository of whatever the blueprint builds without naming one; default: on Render, the one of this service",
      pattern: "^https://[^\\s/?#@]+/[^\\s?#]+$",
    }),
  ),
  RENDER_GIT_REPO_SLUG: Type.Optional(
    Type.String({
      title: "owner/name",
      description: "Repository that this service was built from, as Render says it; not set by hand",
      pattern: "^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$",
    }),
  ),
  RENDER_SERVICE_ID: Type.Optional(
    Type.String({
      title: "an id such as srv-…",
      description: "Id of this service, as Render says it: an apply deploys it last; not set by hand",
      minLength: 1,
    }),
  ),
  RENDER_DRIFT_MINUTES: Type.Integer({
    title: "minutes between comparisons",
    description:
      "How often Render is compared with the blueprint, to propose an apply where they differ; 0: only when asked",
    minimum: 0,
    maximum: 10_080,
    default: 15,
  }),
  RENDER_MONITOR_SERVICES: Type.Array(Type.String({ minLength: 1, maxLength: 200 }), {
    title: "ids or exact names of services, separated by commas",
    description:
      "Services whose failed builds may be repaired unasked, by id or exact name, separated by commas; none by default",
    default: [],
  }),
});

export type Settings = Static<typeof settings.schema>;
