/* The two parts of undici that http-client.ts loads by themselves; its own types describe the whole. */
declare module "undici/lib/dispatcher/agent.js" {
  import { Agent } from "undici";
  export = Agent;
}
declare module "undici/lib/api/index.js" {
  import type { Dispatcher } from "undici";
  export function request(this: Dispatcher, options: Dispatcher.RequestOptions): Promise<Dispatcher.ResponseData>;
}
