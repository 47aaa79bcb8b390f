import { useSignal } from "@preact/signals";
import type { Subscription } from "@signalbox/common/contracts/subscription.ts";
import { useApp } from "../app/context.ts";
import { useItems, useReloadOn } from "../app/items.ts";
import { countOf, eventKinds, kindWords } from "../domain/words.ts";
import { ConfirmCall } from "../ui/call.tsx";
import { Dialog, DialogActions } from "../ui/dialog.tsx";
import { TextField, Toggle } from "../ui/field.tsx";
import { Empty, PageHead, QueryNote } from "../ui/parts.tsx";
import { CopyCurl, Fact, MoreButton } from "../ui/screen-parts.tsx";
import { type Lamp, LampWord } from "../ui/status.tsx";
import { CopyButton, toast } from "../ui/toast.tsx";
import { When } from "../ui/when.tsx";

type Open = { act: "new" } | { act: "pause" | "delete"; one: Subscription } | { act: "secret"; secret: string } | null;

export function SubscriptionsScreen() {
  const subscriptions = useItems<Subscription>("orchestrator", "/subscriptions");
  // What was sent changes with every event that anybody subscribed to.
  useReloadOn(subscriptions.query.reload, (batch) => subscriptions.rows.length > 0 && batch.events.length > 0);
  const open = useSignal<Open>(null);
  const state = subscriptions.query.state.value;
  const show = (next: Open) => {
    open.value = next;
  };
  return (
    <>
      <PageHead
        title="Subscriptions"
        actions={
          <>
            <CopyCurl service="orchestrator" path="/subscriptions" />
            <button type="button" class="button button-primary" onClick={() => show({ act: "new" })}>
              New subscription
            </button>
          </>
        }
      >
        Who is told of events: each is posted as a signed Standard Webhook, and sent again until it is taken.
      </PageHead>
      <QueryNote query={state} onRetry={subscriptions.query.reload} rows={5} />
      {state.data && subscriptions.rows.length === 0 && (
        <Empty title="Nobody is told of events">
          <p>A subscription posts the kinds of events you choose to an address of yours, in order and signed.</p>
          <button type="button" class="button" onClick={() => show({ act: "new" })}>
            Subscribe an address
          </button>
        </Empty>
      )}
      <div class="schedule-list">
        {subscriptions.rows.map((one) => (
          <SubscriptionCard key={one.id} one={one} onOpen={show} />
        ))}
      </div>
      <MoreButton items={subscriptions} />
      <Dialogs open={open.value} onOpen={show} onChanged={subscriptions.query.reload} />
    </>
  );
}

function standOf(one: Subscription): [Lamp, string] {
  if (!one.enabled) return ["off", "paused"];
  return one.failures > 0 ? ["warn", "failing"] : ["ok", "on"];
}

function kindsOf(one: Subscription): string {
  return one.kinds.length === eventKinds.length ? "every kind of event" : one.kinds.map(kindWords).join(", ");
}

function SubscriptionCard({ one, onOpen }: { one: Subscription; onOpen: (open: Open) => void }) {
  const [lamp, words] = standOf(one);
  return (
    <section class="panel" aria-label={one.url}>
      <header class="panel-head">
        <h2 class="clip">{one.url}</h2>
        <LampWord lamp={lamp}>{words}</LampWord>
        <div class="panel-meta">
          <button type="button" class="button button-quiet" onClick={() => onOpen({ act: "pause", one })}>
            {one.enabled ? "Pause" : "Resume"}
          </button>
          <button type="button" class="button button-quiet" onClick={() => onOpen({ act: "delete", one })}>
            Delete
          </button>
        </div>
      </header>
      <dl class="facts panel-body">
        <Fact name="told of">{kindsOf(one)}</Fact>
        <Fact name="of tasks">{one.types === null ? "of every type" : one.types.join(", ")}</Fact>
        <Fact name="last">
          {one.lastDeliveryAt ? (
            <>
              {one.lastOutcome} <When at={one.lastDeliveryAt} />
              {one.lastStatus !== null && `, answered ${one.lastStatus}`}
            </>
          ) : (
            "nothing sent yet"
          )}
        </Fact>
        <Fact name="waits">{one.pending === 0 ? "nothing" : countOf(one.pending, "event")}</Fact>
        {one.lastError && (
          <Fact name="error">
            <span class="lamp-failed">{one.lastError}</span>
          </Fact>
        )}
        {one.disabledReason && <Fact name="paused">{one.disabledReason}</Fact>}
      </dl>
    </section>
  );
}

type DialogsProps = { open: Open; onOpen: (open: Open) => void; onChanged: () => void };

function Dialogs({ open, onOpen, onChanged }: DialogsProps) {
  const close = () => onOpen(null);
  if (open === null) return null;
  if (open.act === "new")
    return (
      <NewDialog
        onClose={close}
        onMade={(secret) => {
          onChanged();
          onOpen({ act: "secret", secret });
        }}
      />
    );
  if (open.act === "secret") return <SecretDialog secret={open.secret} onClose={close} />;
  return <ActDialog one={open.one} act={open.act} onClose={close} onChanged={onChanged} />;
}

type ActProps = { one: Subscription; act: "pause" | "delete"; onClose: () => void; onChanged: () => void };

function ActDialog({ one, act, onClose, onChanged }: ActProps) {
  const app = useApp();
  const isDelete = act === "delete";
  const words = isDelete ? "Delete" : one.enabled ? "Pause" : "Resume";
  return (
    <ConfirmCall
      title={`${words} this subscription?`}
      button={words}
      danger={isDelete}
      onClose={onClose}
      onDone={() => {
        toast(isDelete ? "Deleted" : one.enabled ? "Paused" : "Resumed");
        onChanged();
      }}
      send={() =>
        app.rest.call("orchestrator", `/subscriptions/${one.id}`, {
          method: isDelete ? "DELETE" : "PATCH",
          body: isDelete ? undefined : { enabled: !one.enabled },
        })
      }
    >
      <p class="mono">{one.url}</p>
      <p>
        {isDelete
          ? `It is told of nothing any more; ${countOf(one.pending, "event")} it was still to be told of is dropped.`
          : one.enabled
            ? "No event is taken for it and none is sent until it is resumed."
            : "It is told of the events from now on."}
      </p>
    </ConfirmCall>
  );
}

function SecretDialog({ secret, onClose }: { secret: string; onClose: () => void }) {
  return (
    <Dialog title="Keep this secret now" onClose={onClose}>
      <p>Your receiver checks the signatures with it. It is shown this once and cannot be read again.</p>
      <p class="mono secret">{secret}</p>
      <DialogActions onClose={onClose}>
        <CopyButton text={secret} what="Secret" />
      </DialogActions>
    </Dialog>
  );
}

const usual = new Set<string>(["completed", "failed", "approval_requested"]);

function NewDialog({ onClose, onMade }: { onClose: () => void; onMade: (secret: string) => void }) {
  const app = useApp();
  const url = useSignal("");
  const kinds = useSignal<ReadonlySet<string>>(usual);
  const toggle = (kind: string) => {
    const next = new Set(kinds.value);
    if (!next.delete(kind)) next.add(kind);
    kinds.value = next;
  };
  return (
    <ConfirmCall<{ secret: string }>
      title="New subscription"
      button="Subscribe"
      wide
      locked={url.value.trim() === "" || kinds.value.size === 0}
      onClose={onClose}
      onDone={({ secret }) => onMade(secret)}
      send={() =>
        app.rest.call("orchestrator", "/subscriptions", {
          method: "POST",
          body: { url: url.value.trim(), kinds: [...kinds.value] },
        })
      }
    >
      <TextField
        id="subscription-url"
        label="Address"
        mono
        placeholder="https://example.com/hooks/signalbox"
        value={url.value}
        onValue={(next) => (url.value = next)}
      />
      <fieldset class="choice">
        <legend>Kinds of events</legend>
        <div class="toggles">
          {eventKinds.map((kind) => (
            <Toggle key={kind} pressed={kinds.value.has(kind)} onPress={() => toggle(kind)}>
              {kindWords(kind)}
            </Toggle>
          ))}
        </div>
      </fieldset>
    </ConfirmCall>
  );
}
