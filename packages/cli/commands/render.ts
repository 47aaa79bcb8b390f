import { setTimeout as delay } from "node:timers/promises";
import type { Adoption, BlueprintApply, BlueprintPlan, DriftList } from "@signalbox/common/contracts/blueprint.ts";
import { type Command, type ExitCode, exitCodes, type Invocation, noneOf, textOf, usageError } from "../command.ts";
import type { Remote } from "../remote.ts";
import { plain, type Terminal, toTable } from "../terminal.ts";

const service = "renderctl" as const;
const pollMs = 1_000;

const actions: Record<string, (invocation: Invocation) => Promise<ExitCode>> = { plan, apply, drift, adopt };

export const render: Command = {
  name: "render",
  usage: "plan|apply|drift|adopt [options]",
  summary: "Compare Render with the blueprint, and make it match",
  help: `  plan            what applying would do; nothing is changed   (--prune also shows what would be deleted)
  apply           the same, and then, once you agree, does just that: --plan ID of a plan that you saw, --yes without asking
  drift           where Render differs from the blueprint
  adopt           a patch of the blueprint that takes Render as it is, for git apply; nothing is changed`,
  options: { prune: { type: "boolean" }, plan: { type: "string" }, yes: { type: "boolean" } },
  async run(invocation) {
    const [name = "", ...more] = invocation.positionals;
    const action = actions[name];
    if (action === undefined) throw usageError("say what: signalbox render plan, apply, drift or adopt");
    noneOf(more);
    return action(invocation);
  },
};

async function plan({ values, terminal, remote }: Invocation): Promise<ExitCode> {
  const made = await makePlan(await remote(), values.prune === true);
  terminal.document(made);
  showPlan(made, terminal);
  return exitCodes.done;
}

function makePlan(remote: Remote, prune: boolean): Promise<BlueprintPlan> {
  const body = { dryRun: true, ...(prune && { prune }) };
  return remote.call("/render/blueprint/apply", { service, method: "POST", body, timeoutMs: 120_000 });
}

const signs = { create: "+", update: "~", delete: "-", link: "~", deploy: ">" };
const colours = { create: "green", update: "yellow", delete: "red", link: "yellow", deploy: "blue" } as const;

function showPlan(made: BlueprintPlan, { line, paint }: Terminal): void {
  for (const step of made.steps) {
    line(
      paint(
        colours[step.action],
        `${signs[step.action]} ${step.action} ${plain(step.resource)}${step.causesDeploy ? "  (deploys)" : ""}`,
      ),
    );
    for (const { field, from, to } of step.changes) line(`    ${plain(field)}: ${show(from)} -> ${show(to)}`);
  }
  for (const [what, list] of Object.entries({
    blocked: made.blocked,
    "needs a value": made.needsValue,
    "not in the blueprint": made.unmanaged,
  })) {
    for (const item of list) line(paint("yellow", `! ${what}: ${show(item)}`));
  }
  line(made.steps.length === 0 ? "Render is as the blueprint says" : `${made.steps.length} steps, plan ${made.planId}`);
}

function show(value: unknown): string {
  return plain(typeof value === "string" ? value : (JSON.stringify(value) ?? "-"));
}

async function apply({ values, terminal, remote, signal }: Invocation): Promise<ExitCode> {
  const there = await remote();
  const planId = textOf(values, "plan") ?? (await agree(there, values.yes === true, terminal, values.prune === true));
  if (planId === null) return exitCodes.done;
  const started = await there.call<{ applyId: string | null }>("/render/blueprint/apply", {
    service,
    method: "POST",
    body: { dryRun: false, planId },
  });
  if (!started.applyId) {
    terminal.document(started);
    terminal.line("Render is as the blueprint says; nothing was changed");
    return exitCodes.done;
  }
  return followApply(there, started.applyId, { terminal, signal });
}

/** The plan that may be applied; null when there is nothing to do or nobody agreed. */
async function agree(remote: Remote, isAgreed: boolean, terminal: Terminal, prune: boolean): Promise<string | null> {
  const made = await makePlan(remote, prune);
  if (!terminal.isJson) showPlan(made, terminal);
  if (made.steps.length === 0) {
    terminal.document(made);
    return null;
  }
  if (isAgreed) return made.planId;
  if (!terminal.isInteractive) throw usageError("say --yes, or --plan ID of the plan that you saw");
  return (await terminal.confirm("apply this plan?")) ? made.planId : null;
}

type Following = Pick<Invocation, "terminal" | "signal">;

async function followApply(remote: Remote, id: string, { terminal, signal }: Following): Promise<ExitCode> {
  const told = new Set<string>();
  for (;;) {
    const ledger = await remote.call<BlueprintApply>(`/render/applies/${id}`, { service });
    tellSteps(ledger, told, terminal);
    if (ledger.state === "done" || ledger.state === "failed") {
      terminal.document(ledger);
      terminal.line(`apply ${id}: ${ledger.state}${ledger.error ? `, ${plain(ledger.error)}` : ""}`);
      return ledger.state === "done" ? exitCodes.done : exitCodes.failed;
    }
    await delay(pollMs, undefined, { signal });
  }
}

function tellSteps({ steps }: BlueprintApply, told: Set<string>, terminal: Terminal): void {
  for (const { state, resource } of steps) {
    const line = `${state} ${plain(resource)}`;
    if (!told.has(line)) terminal.note(line);
    told.add(line);
  }
}

async function drift({ terminal, remote }: Invocation): Promise<ExitCode> {
  const found = await (await remote()).call<DriftList>("/render/drift", { service, timeoutMs: 120_000 });
  terminal.document(found);
  const rows = found.items.map(({ resource, field, kind, expected, actual }) => [
    resource,
    field,
    kind,
    show(expected),
    show(actual),
  ]);
  if (rows.length === 0) terminal.line("no drift: Render is as the blueprint says");
  else for (const line of toTable(["resource", "field", "kind", "expected", "actual"], rows)) terminal.line(line);
  return exitCodes.done;
}

/** The patch alone is on stdout, so that it can be piped. */
async function adopt({ terminal, remote }: Invocation): Promise<ExitCode> {
  const asked = { service, method: "POST", body: {}, timeoutMs: 120_000 } as const;
  const made = await (await remote()).call<Adoption>("/render/drift/adopt", asked);
  terminal.document(made);
  if (made.patch !== "") terminal.line(made.patch.trimEnd());
  for (const { resource, field, reason } of made.left) terminal.note(plain(`left: ${resource} ${field} ${reason}`));
  if (made.patch === "" && made.left.length === 0) terminal.note("no drift: Render is as the blueprint says");
  return exitCodes.done;
}
