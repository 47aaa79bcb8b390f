import type { ComponentChildren } from "preact";
import { useApp } from "../app/context.ts";
import type { Items } from "../app/items.ts";
import { useKeys } from "../app/keys.ts";
import { setParam } from "../app/router.ts";
import { toCurl } from "../domain/curl.ts";
import type { Query } from "../net/rest.ts";
import { Empty, FailureNote } from "./parts.tsx";
import { CopyButton } from "./toast.tsx";

/** A screen of a service that this fleet may not have says so, and how to switch it on. */
export function Gate({
  service,
  settings,
  children,
}: {
  service: string;
  settings: string;
  children: ComponentChildren;
}) {
  if (useApp().config.services[service]) return <>{children}</>;
  return (
    <Empty title={`${service} is off in this fleet`}>
      <p>
        It starts by itself once it has what it needs: <code>{settings}</code>. A rehearsal (
        <code>npx pnpm rehearse</code>) has it with stand-ins for the vendors.
      </p>
      <a class="button" href="/config">
        Config health
      </a>
    </Empty>
  );
}

/** The views of one screen, kept in the address. */
export function Tabs<T extends string>({
  tabs,
  current,
  label,
}: {
  tabs: readonly (readonly [T, string])[];
  current: T;
  label: string;
}) {
  return (
    <nav class="tabs" aria-label={label}>
      {tabs.map(([tab, words], index) => (
        <button
          key={tab}
          type="button"
          class="tab"
          aria-current={tab === current ? "true" : undefined}
          onClick={() => setParam("tab", index === 0 ? null : tab)}
        >
          {words}
        </button>
      ))}
    </nav>
  );
}

export function pickTab<T extends string>(tabs: readonly (readonly [T, string])[], asked: string | null): T {
  const found = tabs.find(([tab]) => tab === asked) ?? tabs[0];
  if (!found) throw new Error("a screen without a view");
  return found[0];
}

export function MoreButton<T>({ items }: { items: Items<T> }) {
  return (
    <>
      {items.moreFailure && <FailureNote failure={items.moreFailure} onRetry={() => items.loadMore?.()} />}
      {items.loadMore && (
        <button type="button" class="button more" onClick={items.loadMore}>
          Load older ones
        </button>
      )}
    </>
  );
}

/** The read behind a screen, for a terminal. */
export function CopyCurl({ service, path, query }: { service: string; path: string; query?: Query }) {
  const url = useApp().rest.urlOf(service, path, query) ?? "";
  return (
    <CopyButton text={toCurl({ method: "GET", url })} what="Command">
      Copy as curl
    </CopyButton>
  );
}

export function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div class="fact">
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** `j` and `k` walk over what a screen lists; Enter is the link's own. */
export function useLinkKeys(within: string, what: string): void {
  const move = (step: number) => {
    const links = [...document.querySelectorAll<HTMLElement>(`${within} [data-focus]`)];
    const index = links.indexOf(document.activeElement as HTMLElement);
    links[Math.min(links.length - 1, Math.max(0, index + step))]?.focus();
  };
  useKeys({ j: [`Next ${what}`, () => move(1)], k: [`${what} before`, () => move(-1)] });
}
