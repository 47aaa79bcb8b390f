import { agentSettings } from "@signalbox/common/agent.ts";
import { defineSettings, headerSafe, httpUrl, portSetting, serviceSettings } from "@signalbox/common/settings.ts";
import { type Static, Type } from "typebox";

const word = Type.String({ minLength: 1, maxLength: 200 });

export const settings = defineSettings("posthog-watcher", {
  ...agentSettings,
  PORT: portSetting(4020),
  DATABASE_URL: serviceSettings.DATABASE_URL,
  POSTHOG_HOST: Type.String({
    title: "an http(s) URL",
    description: "Where PostHog is: https://us.posthog.com, https://eu.posthog.com or a server of your own",
    format: "uri",
    pattern: "^https?://[^\\s/?#@]+/?$",
  }),
  POSTHOG_PROJECT_ID: Type.String({
    title: "a number",
    description: "Number of the PostHog project that is watched; it stands in the address of every page of it",
    pattern: "^[0-9]{1,12}$",
  }),
  POSTHOG_API_KEY: Type.String({
    title: "a key without spaces",
    description:
      "Project secret key or personal API key; query:read is enough to observe, insight:read, feature_flag:read and annotation:read explain more, write scopes are only for what may be done",
    pattern: headerSafe,
    writeOnly: true,
  }),
  POSTHOG_MODE: Type.Enum(["observe", "propose", "execute"], {
    title: "Mode",
    description:
      "observe only tells; propose also makes tasks that wait for approval; execute runs the types of POSTHOG_EXECUTE_ALLOW unasked",
    default: "observe",
  }),
  POSTHOG_EXECUTE_ALLOW: Type.Array(Type.String({ pattern: "^[A-Za-z0-9][A-Za-z0-9._-]*$" }), {
    title: "task types, separated by commas",
    description: "Task types that mode execute may run without an approval; never render.*",
    default: [],
  }),
  POSTHOG_EXECUTE_PER_DAY: Type.Integer({
    title: "actions a day",
    description: "How many actions mode execute takes in a UTC day; what comes after waits for approval",
    minimum: 0,
    maximum: 100,
    default: 3,
  }),
  POSTHOG_CHECK_MINUTES: Type.Integer({
    title: "minutes",
    description: "How long after an action it is looked whether the metric came back",
    minimum: 1,
    maximum: 10_080,
    default: 60,
  }),
  POSTHOG_MAY_ACT: Type.Array(Type.Enum(["posthog", "render", "github", "telegram"]), {
    title: "integrations, separated by commas",
    description: "Integrations that the watcher may propose or take actions in; all others it only reads",
    default: ["posthog", "render", "github", "telegram"],
  }),
  POSTHOG_WEBHOOK_SECRET: Type.Optional(
    Type.String({
      title: "at least 8 characters without spaces",
      description: "Bearer token that PostHog shows at POST /webhooks/posthog; without it every call there is refused",
      pattern: "^[\\x21-\\x7e]{8,}$",
      writeOnly: true,
    }),
  ),
  POSTHOG_WEBHOOK_SIGNING_SECRET: Type.Optional(
    Type.String({
      title: "a Standard Webhooks secret such as whsec_…",
      description: "Signing secret of the PostHog destination; with it the signature must be right too",
      pattern: "^(whsec_)?[A-Za-z0-9+/=_-]{16,}$",
      writeOnly: true,
    }),
  ),
  POSTHOG_REQUESTS_PER_MINUTE: Type.Integer({
    title: "requests a minute",
    description: "Budget of requests to PostHog, whose own limit other scripts share",
    minimum: 1,
    maximum: 240,
    default: 30,
  }),
  POSTHOG_REQUESTS_PER_HOUR: Type.Integer({
    title: "requests an hour",
    description: "Budget of requests to PostHog in an hour",
    minimum: 10,
    maximum: 2_400,
    default: 1_000,
  }),
  POSTHOG_TIMEZONE: Type.String({
    title: "a time zone such as Europe/Berlin",
    description: "Time zone in which the days and weeks of the product go by",
    minLength: 1,
    default: "UTC",
  }),
  POSTHOG_HOLIDAYS: Type.Array(Type.String({ pattern: "^[0-9]{4}-[0-9]{2}-[0-9]{2}$" }), {
    title: "days such as 2026-12-25, separated by commas",
    description: "Days on which much may be different without anything being wrong",
    default: [],
  }),
  POSTHOG_PIN_EVENTS: Type.Array(word, {
    title: "names of events, separated by commas",
    description: "Monitors may only look at these events; empty: at all",
    default: [],
  }),
  POSTHOG_PIN_PROPERTIES: Type.Array(Type.String({ pattern: "^[A-Za-z_$][A-Za-z0-9_$ .-]*=.+$" }), {
    title: "property=value, separated by commas",
    description: "Only events with these properties count, such as $host=app.example.com",
    default: [],
  }),
  POSTHOG_PIN_INSIGHTS: Type.Array(word, {
    title: "short ids of insights, separated by commas",
    description: "Monitors may only use these insights; empty: all",
    default: [],
  }),
  POSTHOG_PIN_FLAGS: Type.Array(word, {
    title: "keys of feature flags, separated by commas",
    description: "Only these flags are looked at and may be set; empty: all",
    default: [],
  }),
  POSTHOG_ISSUE_REPO: Type.Optional(
    Type.String({
      title: "owner/repository",
      description: "GitHub repository in which an issue may be proposed for a finding; needs GITHUB_TOKEN",
      pattern: "^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$",
    }),
  ),
  GITHUB_TOKEN: Type.Optional(
    Type.String({
      title: "printable ASCII without spaces",
      description: "Token that may write issues of POSTHOG_ISSUE_REPO",
      pattern: headerSafe,
      writeOnly: true,
    }),
  ),
  GITHUB_API_URL: Type.String({
    title: "an http(s) URL",
    description: "Address of GitHub's API",
    format: "uri",
    pattern: httpUrl,
    default: "https://api.github.com",
  }),
  MONITORS_DIR: Type.Optional(
    Type.String({
      title: "Folder of monitors",
      description: "Folder with the YAML files of the monitors; default: infra/monitors",
      minLength: 1,
    }),
  ),
});

export type Settings = Static<typeof settings.schema>;
