import { ApiError } from "@signalbox/common/errors.ts";
import type { RenderApi } from "../clients/render.ts";
import { compareEnv, type EnvState, type ExpectedVar } from "../env-compare.ts";
import type { Service } from "../render-shapes.ts";

export type EnvReader = {
  /** @throws RenderError, or ApiError 422 when the blueprint is no good */
  read(api: RenderApi, serviceId: string, signal: AbortSignal): Promise<{ key: string; state: EnvState }[]>;
};

export type EnvReaderOptions = {
  hash(value: string): string;
  /** What the blueprint says of the variables of a service; nothing when it does not know the service. */
  expectedOf(service: Service, signal: AbortSignal): Promise<readonly ExpectedVar[]>;
};

export function buildEnvReader({ hash, expectedOf }: EnvReaderOptions): EnvReader {
  return {
    async read(api, serviceId, signal) {
      const service = await api.services.get(serviceId);
      const live = Object.fromEntries((await api.env.list(serviceId)).map(({ key, value }) => [key, hash(value)]));
      return compareEnv(live, await expectedOf(service, signal).catch(ignoreAbsence));
    },
  };
}

/** Whoever has no blueprint can still see which variables there are. */
function ignoreAbsence(error: unknown): readonly ExpectedVar[] {
  if (error instanceof ApiError && error.code === "invalid_request") return [];
  throw error;
}
