import { agentSettings } from "@signalbox/common/agent.ts";
import { defineSettings, portSetting } from "@signalbox/common/settings.ts";
import { type Static, Type } from "typebox";

export const settings = defineSettings("page-agent", {
  ...agentSettings,
  PORT: portSetting(4003),
  PAGE_ORIGINS: Type.Array(Type.String({ pattern: "^https?://[^\\s/?#@]+$" }), {
    title: "origins such as https://example.com, separated by commas",
    description: "Sites whose pages may be looked at; without it this example of an agent is off",
    minItems: 1,
  }),
});

export type Settings = Static<typeof settings.schema>;
