import { computed, type ReadonlySignal, signal } from "@preact/signals";

export type Credentials = { user: string; pass: string };

/** `out`: nobody has signed in; `expired`: a service refused what had worked, so the page stays and asks again. */
export type AuthState = "out" | "in" | "expired";

export type Auth = {
  state: ReadonlySignal<AuthState>;
  user: ReadonlySignal<string | null>;
  /** base64 of `user:pass`, for `Authorization` and `?auth=`; null while signed out. */
  token: () => string | null;
  signIn: (credentials: Credentials, keepForTab: boolean) => void;
  /** @param token what was refused: an answer to an older sign-in must not end the newer one */
  expire: (token: string | null) => void;
  signOut: () => void;
};

const STORAGE_KEY = "signalbox.auth";

/** `btoa` takes Latin-1 only; names and passwords are UTF-8. */
export function encodeBasic({ user, pass }: Credentials): string {
  const bytes = new TextEncoder().encode(`${user}:${pass}`);
  return btoa(String.fromCharCode(...bytes));
}

type Held = { user: string; token: string };

function readHeld(storage: Storage): Held | null {
  try {
    const held: unknown = JSON.parse(storage.getItem(STORAGE_KEY) ?? "null");
    if (typeof held !== "object" || held === null || !("user" in held) || !("token" in held)) return null;
    return { user: String(held.user), token: String(held.token) };
  } catch {
    return null;
  }
}

/** Holds the credentials in memory, and in the tab's own storage only when asked to. */
export function buildAuth(storage: Storage): Auth {
  const held = signal<Held | null>(readHeld(storage));
  const refused = signal(false);
  return {
    state: computed(() => (held.value === null ? "out" : refused.value ? "expired" : "in")),
    user: computed(() => held.value?.user ?? null),
    token: () => held.peek()?.token ?? null,
    signIn(credentials, keepForTab) {
      const next = { user: credentials.user, token: encodeBasic(credentials) };
      if (keepForTab) storage.setItem(STORAGE_KEY, JSON.stringify(next));
      else storage.removeItem(STORAGE_KEY);
      refused.value = false;
      held.value = next;
    },
    expire(token) {
      if (token === null || token !== held.peek()?.token) return;
      storage.removeItem(STORAGE_KEY);
      refused.value = true;
    },
    signOut() {
      storage.removeItem(STORAGE_KEY);
      refused.value = false;
      held.value = null;
    },
  };
}
