import { defineSettings, headerSafe, httpUrl, portSetting, serviceSettings } from "@signalbox/common/settings.ts";
import { Type } from "typebox";

const { ORCHESTRATOR_URL: _own, ...shared } = serviceSettings;

export const settings = defineSettings("orchestrator", {
  ...shared,
  PORT: portSetting(4000),
  REDIS_URL: Type.Optional(
    Type.String({
      title: "redis://… or rediss://…",
      description:
        "A Redis (6 or newer) or Valkey that orchestrators wake each other by, instead of PostgreSQL's NOTIFY; it holds no data",
      pattern: "^rediss?://[^\\s]+$",
      writeOnly: true,
    }),
  ),
  DATABASE_POOL_SIZE: Type.Integer({
    title: "connections to PostgreSQL",
    description: "How many connections this service may hold at once, besides the one that listens",
    minimum: 2,
    maximum: 100,
    default: 10,
  }),
  DRAIN_SECONDS: Type.Integer({
    title: "seconds to let runs finish at a stop",
    description: "How long a stopping orchestrator waits for the runs under way before it hands them back to the queue",
    minimum: 0,
    maximum: 20,
    default: 10,
  }),
  SECRETS_KEY: Type.Optional(
    Type.String({
      title: "Key for secrets in payloads",
      description:
        "Encrypts the members of payloads that a type's schema marks writeOnly; keep it, or those tasks cannot run",
      minLength: 16,
      writeOnly: true,
    }),
  ),
  GITHUB_WEBHOOK_SECRET: Type.Optional(
    Type.String({
      title: "Secret of the GitHub webhooks",
      description: "Secret that GitHub signs its deliveries with; without it they are refused",
      minLength: 1,
      writeOnly: true,
    }),
  ),
  GITHUB_WEBHOOK_SECRET_PREVIOUS: Type.Optional(
    Type.String({
      title: "Secret of the GitHub webhooks before",
      description: "The secret before, still accepted while the hooks are given the new one",
      minLength: 1,
      writeOnly: true,
    }),
  ),
  WEBHOOK_SECRETS: Type.Array(
    Type.String({
      pattern:
        "^(?!(?:github|deliveries)=)[A-Za-z0-9][A-Za-z0-9_.-]{0,99}=(?:standard:whsec_[A-Za-z0-9+/]{16,200}={0,2}|bearer:[\\x21-\\x2b\\x2d-\\x7e]{8,1000})$",
    }),
    {
      title:
        "source=standard:whsec_… or source=bearer:…, separated by commas; no source is called github or deliveries",
      description:
        "Other senders of webhooks (POST /webhooks/<source>): source=standard:whsec_… or source=bearer:…, separated by commas; a source's second secret is its previous",
      default: [],
      writeOnly: true,
    },
  ),
  SUBSCRIPTIONS_ALLOW_PRIVATE: Type.Boolean({
    title: "true or false",
    description:
      "Whether events may be sent to subscribers in private networks and on this machine; machine metadata is never called",
    default: false,
  }),
  WEBHOOK_RULES_FILE: Type.Optional(
    Type.String({
      title: "Webhook rules",
      description: "File with the rules that make tasks of webhooks; default: infra/webhook-rules.yaml",
      minLength: 1,
    }),
  ),
  GITHUB_TOKEN: Type.Optional(
    Type.String({
      title: "printable ASCII without spaces",
      description:
        "Token that may read and redeliver the hooks of GITHUB_HOOKS; with both set, deliveries that never arrived are asked for again",
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
  GITHUB_HOOKS: Type.Array(Type.String({ pattern: "^[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)?:[0-9]{1,19}$" }), {
    title: "owner/repository:hook id or organisation:hook id, separated by commas",
    description:
      "Hooks whose failed deliveries are asked for again: owner/repository:hook id or organisation:hook id, separated by commas",
    default: [],
  }),
  GITHUB_RECONCILE_SECONDS: Type.Integer({
    title: "seconds between two looks at a hook",
    description: "How often GitHub is asked for failed deliveries of each hook",
    minimum: 1,
    maximum: 86_400,
    default: 300,
  }),
  RATE_LIMIT_USER_PER_MINUTE: Type.Integer({
    title: "events a minute for one user",
    description: "How many events one user may send in a minute (people and chats; services are exempt)",
    minimum: 1,
    maximum: 1_000_000,
    default: 10,
  }),
  RATE_LIMIT_GLOBAL_PER_MINUTE: Type.Integer({
    title: "events a minute in all",
    description: "How many events all people together may send in a minute",
    minimum: 1,
    maximum: 1_000_000,
    default: 100,
  }),
});
