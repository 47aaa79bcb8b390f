import type { State } from "./state.ts";

export type Reply = { status: number; body: unknown };

/** One operation of the API; what it gets has passed the API's own schema. */
export type Handler = (call: {
  state: State;
  params: Record<string, string>;
  query: URLSearchParams;
  body: unknown;
}) => Reply;
