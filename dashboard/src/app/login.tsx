import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { encodeBasic } from "../net/auth.ts";
import { probeService } from "../net/rest.ts";
import { Dialog } from "../ui/dialog.tsx";
import { Note } from "../ui/parts.tsx";
import { type App, useApp } from "./context.ts";
import { Brand } from "./nav.tsx";

async function tryCredentials(app: App, token: string): Promise<string | null> {
  const answer = await app.rest.call("orchestrator", "/config/validate", { token });
  if (answer.ok) return null;
  const { status, kind, message } = answer.failure;
  if (status === 401) return "The user or the password is not right.";
  if (kind !== "network") return message;
  const verdict = await probeService(app.rest, "orchestrator");
  return "message" in verdict ? verdict.message : message;
}

function useLogin() {
  const app = useApp();
  const busy = useSignal(false);
  const problem = useSignal<string | null>(null);
  const submit = async (form: HTMLFormElement) => {
    const data = new FormData(form);
    const credentials = { user: String(data.get("user") ?? ""), pass: String(data.get("pass") ?? "") };
    busy.value = true;
    problem.value = await tryCredentials(app, encodeBasic(credentials));
    busy.value = false;
    if (problem.value === null) app.auth.signIn(credentials, data.get("keep") !== null);
  };
  return { busy, problem, submit };
}

function LoginForm({ user }: { user: string }) {
  const { busy, problem, submit } = useLogin();
  const first = useRef<HTMLInputElement>(null);
  useEffect(() => first.current?.focus(), []);
  return (
    <form
      class="login-form"
      onSubmit={(event) => {
        event.preventDefault();
        void submit(event.currentTarget);
      }}
    >
      {problem.value && <Note lamp="failed">{problem.value}</Note>}
      <div class="field">
        <label for="login-user">User</label>
        <input
          ref={first}
          id="login-user"
          name="user"
          class="input"
          autocomplete="username"
          value={user}
          required
          spellcheck={false}
        />
      </div>
      <div class="field">
        <label for="login-pass">Password</label>
        <input id="login-pass" name="pass" class="input" type="password" autocomplete="current-password" required />
      </div>
      <div class="field field-flag">
        <input id="login-keep" name="keep" type="checkbox" defaultChecked />
        <label for="login-keep">Keep for this tab</label>
        <p class="field-help">Until the tab is closed. Otherwise a reload asks again.</p>
      </div>
      <button type="submit" class="button button-primary button-wide" disabled={busy.value}>
        {busy.value ? "Signing in…" : "Sign in"}
      </button>
    </form>
  );
}

/** Before anything is shown. The address stays, so that signing in leads to where the link pointed. */
export function LoginPage() {
  const app = useApp();
  return (
    <main class="login" id="main">
      <div class="login-card">
        <Brand />
        <h1>Sign in to {app.config.fleet}</h1>
        <LoginForm user="" />
        <p class="login-help">
          A local fleet prints its login when it starts, and keeps it in <code>.signalbox/env</code>, a rehearsal in{" "}
          <code>.signalbox/rehearsal/env</code>.
        </p>
      </div>
    </main>
  );
}

/** Over the page when a sign-in stopped being accepted: the screen and what was typed on it stay. */
export function LoginAgain() {
  const app = useApp();
  return (
    <Dialog title="Sign in again" onClose={() => app.signOut()}>
      <p>The fleet no longer accepts this sign-in. The page stays as it is; nothing you typed is lost.</p>
      <LoginForm user={app.auth.user.value ?? ""} />
    </Dialog>
  );
}
