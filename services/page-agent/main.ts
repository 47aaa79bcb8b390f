import { runMain } from "@signalbox/common/run-main.ts";
import { buildApp } from "./app.ts";
import { settings } from "./settings.ts";

await runMain(settings, process.env, buildApp);
