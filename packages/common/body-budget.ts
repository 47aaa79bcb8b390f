import type { IncomingMessage } from "node:http";
import { rateLimited } from "./errors.ts";

/** Bounds the bytes of bodies that are under way at once, where many large ones would fill the memory. */
export type BodyBudget = {
  /**
   * Reserves room before the body is read; answers the function that gives it back, once however often it is called.
   *
   * @throws ApiError 429 when the room is taken
   */
  enter(request: IncomingMessage): () => void;
};

/** JSON shrinks about so much by gzip; more is rare, and the body's own limit holds then. */
const gzipFactor = 10;

export function buildBodyBudget(bytes: number, limitBytes: number): BodyBudget {
  let taken = 0;
  return {
    enter(request) {
      const wanted = Math.min(limitBytes, expectedBytes(request) ?? limitBytes);
      // One that is larger than the whole budget is let in alone: else it never would be.
      if (taken > 0 && taken + wanted > bytes) {
        throw rateLimited("Too much is being sent at once; send it again in a moment.", 1);
      }
      taken += wanted;
      let held = wanted;
      return () => {
        taken -= held;
        held = 0;
      };
    },
  };
}

/** Null when the sender does not say. */
function expectedBytes({ headers }: IncomingMessage): number | null {
  const length = headers["content-length"];
  if (length === undefined) return headers["transfer-encoding"] === undefined ? 0 : null;
  return Number(length) * (headers["content-encoding"] === undefined ? 1 : gzipFactor);
}
