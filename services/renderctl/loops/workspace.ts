import { ApiError, invalidRequest } from "@signalbox/common/errors.ts";
import type { RenderApi } from "../clients/render.ts";

export type Workspace = {
  /**
   * The workspace that is meant: the one that is named, or the only one that the token sees.
   *
   * @throws ApiError 400 when the token sees several and none is named
   */
  ownerId(api: RenderApi, named?: string): Promise<string>;
};

/** @param setting RENDER_OWNER_ID, when it is set */
export function buildWorkspace(setting: string | undefined): Workspace {
  return {
    async ownerId(api, named = setting) {
      if (named !== undefined) return named;
      // Looked up each time: a token that saw one workspace yesterday may see two today, and then nobody may guess.
      const owners = await api.owners.list();
      const [first] = owners;
      if (!first) throw new ApiError("render_refused", "The token of Render sees no workspace.");
      if (owners.length > 1) {
        const names = owners.map(({ id, name }) => `${id} (${name})`).join(", ");
        throw invalidRequest("/ownerId", `is needed, or RENDER_OWNER_ID: the token sees ${names}`);
      }
      return first.id;
    },
  };
}
