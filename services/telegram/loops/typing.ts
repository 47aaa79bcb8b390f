/** Shows "typing…" in the chats whose runs are under way. It is shown for five seconds at a time and kept nowhere. */
import { rest } from "@signalbox/common/tail.ts";
import type { ChatRun } from "../chat-run.ts";
import type { RunStep } from "../run-frames.ts";
import { keyOf } from "../update.ts";
import type { Kit } from "./kit.ts";

const everyMs = 4_500;
/** A run that takes longer shows progress, or is forgotten here. */
const longestMs = 120_000;

export type Typing = ReturnType<typeof buildTyping>;

export function buildTyping({ api, log }: Pick<Kit, "api" | "log">) {
  const shown = new Map<string, { place: ChatRun["place"]; until: number }>();

  function show(place: ChatRun["place"]): void {
    api.type(place).catch((error: unknown) => log.debug({ err: error }, "typing could not be shown"));
  }

  return {
    follow({ place }: ChatRun, steps: readonly RunStep[]): void {
      for (const step of steps) {
        if (step.kind !== "typing") continue;
        if (!step.isOn) shown.delete(keyOf(place));
        else {
          shown.set(keyOf(place), { place, until: performance.now() + longestMs });
          show(place);
        }
      }
    },
    async run(signal: AbortSignal): Promise<void> {
      while (!signal.aborted) {
        await rest(everyMs, signal);
        for (const [key, { place, until }] of shown) {
          if (performance.now() > until) shown.delete(key);
          else show(place);
        }
      }
      shown.clear();
    },
  };
}
