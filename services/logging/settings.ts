import { defineSettings, portSetting, serviceSettings } from "@signalbox/common/settings.ts";
import { Type } from "typebox";

export const settings = defineSettings("logging", {
  PORT: portSetting(4001),
  HOST: serviceSettings.HOST,
  PUBLIC_URL: serviceSettings.PUBLIC_URL,
  DATABASE_URL: serviceSettings.DATABASE_URL,
  BASIC_AUTH_USER: serviceSettings.BASIC_AUTH_USER,
  BASIC_AUTH_PASS: serviceSettings.BASIC_AUTH_PASS,
  INTERNAL_KEY: serviceSettings.INTERNAL_KEY,
  INTERNAL_KEY_PREVIOUS: serviceSettings.INTERNAL_KEY_PREVIOUS,
  WS_ALLOWED_ORIGINS: serviceSettings.WS_ALLOWED_ORIGINS,
  LOG_LEVEL: serviceSettings.LOG_LEVEL,
  LOG_FORMAT: serviceSettings.LOG_FORMAT,
  LOG_REDACT_KEYS: serviceSettings.LOG_REDACT_KEYS,
  LOG_REDACT_PATTERNS: serviceSettings.LOG_REDACT_PATTERNS,
  OTEL_EXPORTER_OTLP_ENDPOINT: serviceSettings.OTEL_EXPORTER_OTLP_ENDPOINT,
  OTEL_EXPORTER_OTLP_HEADERS: serviceSettings.OTEL_EXPORTER_OTLP_HEADERS,
  RUN_ID: serviceSettings.RUN_ID,
  LOG_RETENTION_DAYS: Type.Integer({
    title: "days to keep log records",
    description: "Log records older than this are dropped, a whole day at a time; tasks and their events are kept",
    minimum: 1,
    maximum: 3_650,
    default: 30,
  }),
  LOG_RETENTION_MB: Type.Integer({
    title: "MB of log records to keep",
    description:
      "When all log records with their indexes take more than this on disk, the oldest days are dropped; never the present one",
    minimum: 1,
    maximum: 10_000_000,
    default: 10_240,
  }),
});
