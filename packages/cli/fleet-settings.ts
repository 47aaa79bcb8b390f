import { defineSettings } from "@signalbox/common/settings.ts";
import { Type } from "typebox";

/** What the supervisor of a local fleet is told; declared here so that it is documented beside what services are told. */
export const settings = defineSettings("fleet", {
  SIGNALBOX_HOME: Type.String({
    title: "Home",
    description: "Folder of a local fleet: its database, generated passwords, spool and fleet.json",
    minLength: 1,
    default: ".signalbox",
  }),
  SIGNALBOX_PORT_BASE: Type.Integer({
    title: "Port base",
    description:
      "First port of a local fleet: orchestrator +0, logging +1, echo-agent +2, PostgreSQL +32, dashboard +80",
    minimum: 1_024,
    maximum: 65_435,
    default: 4_000,
  }),
  SIGNALBOX_ORCHESTRATORS: Type.Integer({
    title: "Orchestrators",
    description: "How many orchestrators a local fleet runs",
    minimum: 1,
    maximum: 10,
    default: 1,
  }),
  SIGNALBOX_BACKUP_HOURS: Type.Integer({
    title: "Hours between backups",
    description: "How often a local fleet writes a backup into <home>/backups; 0 for never",
    minimum: 0,
    maximum: 168,
    default: 6,
  }),
});
