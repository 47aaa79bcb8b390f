import { render } from "preact";
import { startClock } from "./app/clock.ts";
import { AppContext } from "./app/context.ts";
import { startKeys } from "./app/keys.ts";
import { startRouter } from "./app/router.ts";
import { startSettings } from "./app/settings.ts";
import { Shell } from "./app/shell.tsx";
import { startApp } from "./app/start.ts";
import { loadConfig } from "./net/config.ts";

function NoFleet({ message }: { message: string }) {
  return (
    <main class="login">
      <div class="login-card">
        <h1>No fleet to show</h1>
        <p>{message}</p>
        <button type="button" class="button button-primary" onClick={() => location.reload()}>
          Try again
        </button>
      </div>
    </main>
  );
}

async function main(): Promise<void> {
  const root = document.getElementById("app");
  if (!root) return;
  startSettings();
  const answer = await loadConfig();
  if (!answer.ok) {
    render(<NoFleet message={answer.message} />, root);
    return;
  }
  const app = startApp(answer.config);
  startClock();
  startRouter();
  startKeys();
  render(
    <AppContext.Provider value={app}>
      <Shell />
    </AppContext.Provider>,
    root,
  );
}

void main();
