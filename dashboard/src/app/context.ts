import type { ReadonlySignal, Signal } from "@preact/signals";
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Auth } from "../net/auth.ts";
import type { FleetConfig } from "../net/config.ts";
import type { Rest } from "../net/rest.ts";
import type { Stream } from "../net/stream.ts";
import type { Batch, LiveState } from "../store/live.ts";
import type { NeedsState } from "../store/needs.ts";
import type { ServicesState } from "../store/services.ts";
import type { Asides } from "./asides.ts";

/** Everything a screen may use. There is one, made at the start; screens and later screens ask for it and build nothing twice. */
export type App = {
  config: FleetConfig;
  auth: Auth;
  rest: Rest;
  stream: Stream;
  live: ReadonlySignal<LiveState>;
  needs: ReadonlySignal<NeedsState>;
  asides: Asides;
  services: Signal<ServicesState>;
  /** Grows when what was read by REST may have holes: active queries read again. */
  epoch: ReadonlySignal<number>;
  /** Called once a drawn frame with what the stream brought, after `live` has taken it in. */
  onBatch: (listener: (batch: Batch) => void) => () => void;
  /** Resolves once the stream is live or is known not to be, so that a read that follows leaves no hole before the tail. */
  settled: () => Promise<void>;
  /** @param anew reads every service's settings again, not only of those that started since */
  checkServices: (anew?: boolean) => Promise<void>;
  signOut: () => void;
};

export const AppContext = createContext<App | null>(null);

export function useApp(): App {
  const app = useContext(AppContext);
  if (!app) throw new Error("a screen was drawn outside the page's AppContext");
  return app;
}
