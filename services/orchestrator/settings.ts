import { defineSettings, portSetting, serviceSettings } from "@signalbox/common/settings.ts";
import { Type } from "typebox";

export const settings = defineSettings("orchestrator", {
  PORT: portSetting(4000),
  HOST: serviceSettings.HOST,
  PUBLIC_URL: serviceSettings.PUBLIC_URL,
  DATABASE_URL: serviceSettings.DATABASE_URL,
  LOGGING_URL: serviceSettings.LOGGING_URL,
  BASIC_AUTH_USER: serviceSettings.BASIC_AUTH_USER,
  BASIC_AUTH_PASS: serviceSettings.BASIC_AUTH_PASS,
  INTERNAL_KEY: serviceSettings.INTERNAL_KEY,
  INTERNAL_KEY_PREVIOUS: serviceSettings.INTERNAL_KEY_PREVIOUS,
  WS_ALLOWED_ORIGINS: serviceSettings.WS_ALLOWED_ORIGINS,
  LOG_LEVEL: serviceSettings.LOG_LEVEL,
  LOG_FORMAT: serviceSettings.LOG_FORMAT,
  SPOOL_DIR: serviceSettings.SPOOL_DIR,
  RUN_ID: serviceSettings.RUN_ID,
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
