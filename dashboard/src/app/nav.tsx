import { useAttention } from "./attention.ts";
import { openPalette } from "./palette-state.ts";
import { groups, type Screen, screens } from "./routes.ts";

export function Brand() {
  return (
    <span class="brand">
      <svg viewBox="0 0 16 24" aria-hidden="true">
        <rect class="brand-case" x="3" y="1" width="10" height="16" rx="4" />
        <circle class="brand-stop" cx="8" cy="6" r="2" />
        <circle class="brand-go" cx="8" cy="12" r="2" />
        <path class="brand-post" d="M8 17v6M4 23h8" />
      </svg>
      <span>Signalbox</span>
    </span>
  );
}

/** How many things wait behind a screen's name; a count is a fact with a word for screen readers. */
function Badge({ screen }: { screen: Screen }) {
  const attention = useAttention();
  const counts: Record<string, number> = {
    "/": attention.count,
    "/approvals": attention.waiting.length,
    "/findings": attention.findings.length,
    "/config": attention.services.length,
  };
  const count = counts[screen.path] ?? 0;
  if (count === 0) return screen.keys ? <kbd class="nav-keys">{screen.keys}</kbd> : null;
  return (
    <span class="nav-count">
      {count}
      <span class="hidden"> need you</span>
    </span>
  );
}

function NavLink({ screen, isCurrent }: { screen: Screen; isCurrent: boolean }) {
  return (
    <a class="nav-link" href={screen.path} aria-current={isCurrent ? "page" : undefined}>
      <span>{screen.name}</span>
      <Badge screen={screen} />
    </a>
  );
}

/** A screen that is reached from another is marked at that other. */
function isUnder(screen: Screen, path: string): boolean {
  return screen.path === path || (screen.path !== "/" && path.startsWith(`${screen.path}/`));
}

export function SideNav({ path }: { path: string }) {
  return (
    <nav class="side" aria-label="Screens">
      <a class="side-brand" href="/" aria-label="Signalbox, to the overview">
        <Brand />
      </a>
      {groups.map((group) => (
        <div class="nav-group" key={group}>
          <h2 class="nav-title">{group}</h2>
          {screens
            .filter((screen) => screen.group === group)
            .map((screen) => (
              <NavLink key={screen.path} screen={screen} isCurrent={isUnder(screen, path)} />
            ))}
        </div>
      ))}
    </nav>
  );
}

const icons: Record<string, string> = {
  "/": "M3 7.5 8 3l5 4.5V13H9.5V9.5h-3V13H3Z",
  "/approvals": "M8 1.8 14.2 8 8 14.2 1.8 8ZM5.6 8.2l1.7 1.6 3.2-3.4",
  "/tasks": "M5.5 4h8M5.5 8h8M5.5 12h8M2.5 4h.01M2.5 8h.01M2.5 12h.01",
  "/logs": "M3 2.5h10v11H3ZM5.5 6h5M5.5 8.5h5M5.5 11h3",
  more: "M3 4.5h10M3 8h10M3 11.5h10",
};

function Icon({ name }: { name: string }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
      <path d={icons[name] ?? icons.more ?? ""} />
    </svg>
  );
}

export function BottomNav({ path }: { path: string }) {
  const { count } = useAttention();
  return (
    <nav class="bottom" aria-label="Main screens">
      {screens
        .filter((screen) => screen.onPhone)
        .map((screen) => (
          <a key={screen.path} href={screen.path} aria-current={isUnder(screen, path) ? "page" : undefined}>
            <Icon name={screen.path} />
            <span>{screen.name}</span>
            {screen.path === "/" && count > 0 && <span class="bottom-count">{count}</span>}
          </a>
        ))}
      <button type="button" onClick={() => openPalette()}>
        <Icon name="more" />
        <span>More</span>
      </button>
    </nav>
  );
}
