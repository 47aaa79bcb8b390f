import { agentSettings } from "@signalbox/common/agent.ts";
import { defineSettings, portSetting } from "@signalbox/common/settings.ts";
import type { Static } from "typebox";

export const settings = defineSettings("echo-agent", { ...agentSettings, PORT: portSetting(4002) });

export type Settings = Static<typeof settings.schema>;
