import { useEffect } from "preact/hooks";
import { Empty } from "../ui/parts.tsx";
import { Toasts } from "../ui/toast.tsx";
import { useAttention } from "./attention.ts";
import { bindGlobalKeys } from "./commands.ts";
import { useApp } from "./context.ts";
import { Lazy } from "./lazy.tsx";
import { LoginAgain, LoginPage } from "./login.tsx";
import { BottomNav, SideNav } from "./nav.tsx";
import { overlay } from "./palette-state.ts";
import { path } from "./router.ts";
import { type Found, findScreen, screens } from "./routes.ts";
import { ConnectionBanner, TopBar } from "./top-bar.tsx";

function useTitle(name: string): void {
  const { count } = useAttention();
  useEffect(() => {
    document.title = `${count > 0 ? `(${count}) ` : ""}${name} · Signalbox`;
  }, [name, count]);
}

const PREFETCH_MS = 2_000;

const loadPalette = async () => (await import("./overlays.ts")).overlays.palette;
const loadHelp = async () => (await import("./overlays.ts")).overlays.help;

function Overlay() {
  if (overlay.value === null) return null;
  return overlay.value === "palette" ? (
    <Lazy key="palette" load={loadPalette} props={{}} />
  ) : (
    <Lazy key="help" load={loadHelp} props={{}} />
  );
}

function Stage({ found }: { found: Found | null }) {
  useTitle(found?.screen.name ?? "Not found");
  if (!found) {
    return (
      <Empty title="There is no such page" isPage>
        <p>
          The address <code>{path.value}</code> leads nowhere. <a href="/">Go to the overview</a>
        </p>
      </Empty>
    );
  }
  const { screen, params } = found;
  return <Lazy key={`${screen.path} ${params.id ?? ""}`} load={screen.load} props={{ params }} />;
}

/** Fetches the other screens while nothing else is to do, so that going to one never waits for it. */
function usePrefetch(): void {
  useEffect(() => {
    const fetchAll = () => Promise.allSettled([loadPalette(), loadHelp(), ...screens.map(({ load }) => load())]);
    const timer = setTimeout(() => void fetchAll(), PREFETCH_MS);
    return () => clearTimeout(timer);
  }, []);
}

function SignedIn() {
  const found = findScreen(path.value);
  useEffect(() => bindGlobalKeys(), []);
  usePrefetch();
  return (
    <>
      <a class="skip" href="#main">
        Skip to the content
      </a>
      <div class={found?.screen.fills ? "shell shell-fills" : "shell"}>
        <SideNav path={path.value} />
        <div class="stage">
          <TopBar />
          <ConnectionBanner />
          <main class="page" id="main">
            <Stage found={found} />
          </main>
        </div>
        <BottomNav path={path.value} />
      </div>
      <Overlay />
      <Toasts />
    </>
  );
}

export function Shell() {
  const state = useApp().auth.state.value;
  if (state === "out") return <LoginPage />;
  return (
    <>
      <SignedIn />
      {state === "expired" && <LoginAgain />}
    </>
  );
}
