import { useSignal } from "@preact/signals";
import type { ComponentType } from "preact";
import { useEffect } from "preact/hooks";
import { Empty, Skeleton } from "../ui/parts.tsx";

type Load<P> = () => Promise<ComponentType<P>>;

// Kept over moves, so that a screen that was shown before is drawn at once.
const loaded = new WeakMap<Load<never>, ComponentType<never>>();

/** A part of the page that is fetched when it is first shown. */
export function Lazy<P extends object>({ load, props }: { load: Load<P>; props: P }) {
  const ready = useSignal(loaded.get(load as Load<never>));
  const state = useSignal<"waiting" | "slow" | "failed">("waiting");
  useEffect(() => {
    if (ready.value) return;
    const timer = setTimeout(() => (state.value = "slow"), 150);
    load()
      .then((component) => {
        loaded.set(load as Load<never>, component as ComponentType<never>);
        ready.value = component as ComponentType<never>;
      })
      .catch(() => (state.value = "failed"))
      .finally(() => clearTimeout(timer));
    return () => clearTimeout(timer);
  }, [load, ready, state]);
  const Part = ready.value as ComponentType<P> | undefined;
  if (Part) return <Part {...props} />;
  if (state.value === "failed") {
    return (
      <Empty title="This part of the page could not be fetched" isPage>
        <p>The connection is gone, or the page was replaced by a newer build.</p>
        <button type="button" class="button" onClick={() => location.reload()}>
          Reload the page
        </button>
      </Empty>
    );
  }
  return state.value === "slow" ? <Skeleton /> : null;
}
