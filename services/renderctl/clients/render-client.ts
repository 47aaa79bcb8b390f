import type { RenderClient } from "./render.ts";
import { buildSender, type SenderOptions } from "./render-sender.ts";
import { buildDeployCalls, buildEnvCalls, buildOwnerCalls, buildServiceCalls } from "./render-services.ts";
import { buildGroupCalls, buildPlaceCalls, buildStoreCalls } from "./render-stores.ts";

/** Render's API over HTTP; one per process, because it keeps the account's rate limits. */
export function buildRenderClient(options: SenderOptions): RenderClient {
  const sender = buildSender(options);
  return {
    during(work) {
      const call = sender.during(work);
      return {
        owners: buildOwnerCalls(call),
        services: buildServiceCalls(call),
        env: buildEnvCalls(call),
        deploys: buildDeployCalls(call),
        stores: buildStoreCalls(call),
        groups: buildGroupCalls(call),
        places: buildPlaceCalls(call),
      };
    },
    close: () => sender.close(),
  };
}
