import { agentSettings } from "@signalbox/common/agent.ts";
import { defineSettings, portSetting } from "@signalbox/common/settings.ts";
import { type Static, Type } from "typebox";

export const settings = defineSettings("log-report", {
  ...agentSettings,
  PORT: portSetting(4004),
  LOG_REPORT_MAX_RECORDS: Type.Integer({
    title: "records",
    description: "How many log records one report may read; without it this example of a long-running agent is off",
    minimum: 1,
    maximum: 100_000_000,
  }),
});

export type Settings = Static<typeof settings.schema>;
