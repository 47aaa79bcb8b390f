import { defineSettings, portSetting, serviceSettings } from "@signalbox/common/settings.ts";
import { Type } from "typebox";

const { ORCHESTRATOR_URL: _none, LOGGING_URL: _own, SPOOL_DIR: _spool, ...shared } = serviceSettings;

export const settings = defineSettings("logging", {
  ...shared,
  PORT: portSetting(4001),
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
