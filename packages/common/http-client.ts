/// <reference path="./undici-parts.d.ts" />
/**
 * Outgoing HTTP of every service: undici's pools and its `request`, without the rest of undici. Its index loads a browser's fetch,
 * caches, proxies, mocks and WebSockets beside them, 12 MB in each process for what nobody here calls.
 */
import type { Dispatcher } from "undici";
import { request as requestOf } from "undici/lib/api/index.js";
import Agent from "undici/lib/dispatcher/agent.js";

/** Kept connections with their limits and time-outs: https://undici.nodejs.org/#/docs/api/Agent */
export class Connections extends Agent {}

type RequestOptions = Omit<Dispatcher.RequestOptions, "origin" | "path" | "method"> & {
  method?: Dispatcher.HttpMethod;
  dispatcher: Connections;
};

/** Sends one request; resolves when the answer's headers are here. @throws what undici's `request` throws */
export async function request(
  url: string | URL,
  { dispatcher, method = "GET", ...options }: RequestOptions,
): Promise<Dispatcher.ResponseData> {
  const { origin, pathname, search } = new URL(url);
  return await requestOf.call(dispatcher, { ...options, method, origin, path: pathname + search });
}
