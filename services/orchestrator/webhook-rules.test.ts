import { compileCheck } from "@signalbox/common/validate.ts";
import { readYaml } from "@signalbox/common/yaml.ts";
import { expect, test } from "vitest";
import { parseRules, RulesFile } from "./webhook-rules.ts";
import { type Signal, toSignal } from "./webhook-signal.ts";

const check = compileCheck(RulesFile);

function problemsOf(text: string) {
  const parsed = parseRules(text, readYaml(text), check);
  return parsed.kind === "invalid" ? parsed.problems.map(({ line, message }) => `${line} ${message}`) : [];
}

function ruleOf(rule: string) {
  const text = `version: 1\nrules:\n  - ${rule.trim().replaceAll("\n", "\n    ")}\n`;
  const parsed = parseRules(text, readYaml(text), check);
  if (parsed.kind === "invalid") throw new Error(JSON.stringify(parsed.problems));
  const [only] = parsed.book.rules;
  if (!only) throw new Error("no rule");
  return only;
}

const push = {
  ref: "refs/heads/main",
  after: "0123456789abcdef",
  deleted: false,
  forced: true,
  size: 3,
  repository: { full_name: "acme/web-shop" },
  sender: { login: "ann", type: "User" },
  commits: [{ added: [], modified: ["services/api/a.ts"], removed: ["README.md"] }],
  labels: [{ name: "bug" }, { name: "p1" }],
};
const signal = (body: unknown = push, event = "push"): Signal =>
  toSignal({ source: "github", deliveryId: "d-1", event, body });

const valid = `
version: 1
rules:
  - name: one
    source: github
    event: push
    task:
      type: work
`;

test.each([
  ["a rules file that is no mapping", "- 1", "1 the file must be object"],
  ["broken YAML", "version: 1\nrules:\n  - name: [", "3 is not valid YAML"],
  ["a missing member", "version: 1\nrules:\n  - name: one\n    source: x\n", '3 rule "one": task is required'],
  ["a key that is spelled wrong", valid.replace("event:", "evnt:"), '6 rule "one": evnt is not a known member'],
  ["another version", valid.replace("version: 1", "version: 2"), "2 version must be 1"],
  [
    "a key that stands twice",
    valid.replace("event: push", "source: other"),
    "6 is not valid YAML: duplicated mapping key",
  ],
  [
    "a name that stands twice",
    `${valid}  - name: one\n    source: github\n    task: { type: work }\n`,
    '9 rule "one": name is the name of another rule above',
  ],
  [
    "an operator that does not exist",
    valid.replace("event: push", "when:\n      a.b: { matches: x }"),
    '7 rule "one": when.a.b',
  ],
  ["a path that is none", valid.replace("event: push", "when:\n      a..b: 1"), '7 rule "one": when.a..b is no path'],
  [
    "a template without an end",
    valid.replace("type: work", "type: work\n      payload:\n        list:\n          - ok\n          - '{{a'"),
    '12 rule "one": task.payload.list.1 has a {{ without its }}',
  ],
  [
    "a filter that does not exist",
    valid.replace("type: work", "type: work\n      dedupe: '{{a|shell}}'"),
    '9 rule "one": task.dedupe has the filter "shell"',
  ],
  ["a type that a sender would write", valid.replace("type: work", "type: '{{action}}'"), '8 rule "one": task.type'],
  [
    "more attempts than a task may have",
    valid.replace("type: work", "type: work\n      maxAttempts: 26"),
    '9 rule "one": task.maxAttempts must be <= 25',
  ],
  [
    "a priority that is neither a number nor a template of one",
    valid.replace("type: work", "type: work\n      priority: high"),
    '9 rule "one": task.priority',
  ],
  [
    "an approval that has expired when it is asked for",
    valid.replace("type: work", "type: work\n      approval: { required: true, expiresInSeconds: 0 }"),
    '9 rule "one": task.approval.expiresInSeconds',
  ],
  [
    "something asked of a value that must not be there",
    valid.replace("event: push", "when:\n      size: { exists: false, gt: 3 }"),
    '7 rule "one": when.size asks something of a value that must not be there',
  ],
  ["an alias", `${valid}  - *one\n`, "9 is not valid YAML"],
])("%s is refused, with its line", (_name, text, expected) => {
  expect(problemsOf(text)[0]).toContain(expected);
});

test("members named like JavaScript's own are members that are not known", () => {
  expect(problemsOf(valid.replace("event:", "__proto__:"))[0]).toContain("is not a known member");
  expect(problemsOf(valid.replace("event:", "constructor:"))[0]).toContain("is not a known member");
  expect(({} as Record<string, unknown>).x).toBeUndefined();
});

test.each([
  ["event: push", true],
  ["event: [issues, push]", true],
  ["event: issues", false],
  ["action: opened", false],
  ["repo: acme/web-*", true],
  ["repo: [other/*, acme/api]", false],
  ["branch: [main, release/*]", true],
  ["branch: develop", false],
  ["paths: services/api/**", true],
  ["paths: docs/**", false],
  ["when: { deleted: false }", true],
  ["when: { sender.type: { not: Bot } }", true],
  ["when: { sender.type: { not: [Bot, User] } }", false],
  ["when: { sender.kind: { not: Bot } }", false],
  ["when: { sender.login: [ann, bob] }", true],
  ['when: { commits.*.modified: { anyGlob: "services/**" } }', true],
  ['when: { commits.*.modified: { glob: "docs/**" } }', false],
  ["when: { head_commit: { exists: false } }", true],
  ["when: { sender: { exists: true } }", true],
  ["when: { labels.*.name: bug }", true],
  ["when: { labels.*.name: { not: bug } }", false],
  ["when: { ref: { contains: heads } }", true],
  ["when: { commits.*.removed: { contains: README.md } }", true],
  ["when: { size: { gt: 2, lte: 3 } }", true],
  ["when: { size: { lt: 3 } }", false],
  ["when: { ref: { gt: 1 } }", false],
  ["when: { toString: { exists: true } }", false],
  ["when: { __proto__.x: { exists: false } }", true],
])("%s: %s", (condition, expected) => {
  const rule = ruleOf(`name: r\nsource: github\n${condition}\ntask: { type: work }`);
  expect(rule.matches(signal())).toBe(expected);
});

test("a rule of another source takes nothing of this one", () => {
  expect(ruleOf("name: r\nsource: other\ntask: { type: work }").matches(signal())).toBe(false);
});

test.each([
  ["{{after|short}}", "0123456"],
  ["{{forced}}", true],
  ["{{sender}}", { login: "ann", type: "User" }],
  ["{{sender.login}} pushed {{after|short}} to {{branch}}", "ann pushed 0123456 to main"],
  ["{{size}} of {{labels.*.name}}", '3 of ["bug","p1"]'],
  ["{{sender|json}}", '{"login":"ann","type":"User"}'],
  ["{{repository.full_name|lower}}", "acme/web-shop"],
  ["{{nothing|default:null}}", null],
  ["{{nothing|default:some text}}", "some text"],
  ["{{event}}/{{deliveryId}}/{{source}}", "push/d-1/github"],
  ["{{body.size}}", 3],
  ["no hole } here {", "no hole } here {"],
])("the template %s", (template, expected) => {
  const rule = ruleOf(`name: r\nsource: github\ntask: { type: work, payload: ${JSON.stringify({ a: [template] })} }`);
  expect(rule.draft(signal())).toEqual({
    kind: "task",
    task: { type: "work", payload: { a: [expected] } },
    dedupe: null,
    wantsRaw: false,
  });
});

test.each(["{{nothing}}", "{{sender.constructor.name}}", "{{commits.length}}", "{{nothing|lower}}"])(
  "the template %s fails its rule when the path is not there",
  (template) => {
    const rule = ruleOf(`name: r\nsource: github\ntask: { type: work, payload: ${JSON.stringify(template)} }`);
    expect(rule.draft(signal())).toEqual({ kind: "failed", reason: expect.stringContaining("is not in the delivery") });
  },
);

test("what a sender wrote is never read as a template", () => {
  const rule = ruleOf('name: r\nsource: github\ntask: { type: work, payload: "{{title}}" }');
  expect(rule.draft(signal({ title: "{{sender.login}}" }))).toMatchObject({ task: { payload: "{{sender.login}}" } });
});

test("keys are texts, also when they are made of a number", () => {
  const rule = ruleOf('name: r\nsource: github\ntask: { type: work, concurrencyKey: "{{size}}", dedupe: "{{size}}" }');
  expect(rule.draft(signal())).toMatchObject({ task: { concurrencyKey: "3" }, dedupe: "3" });
});

test.each([
  ["{{sender}}", '{"login":"ann","type":"User"}'],
  ["{{labels.*.name}}", '["bug","p1"]'],
  ["{{forced}}", "true"],
  ["{{nothing|default:null}}", null],
  ["{{sender.company}}", null],
  ["{{commits.*.id}}", null],
])("what is the same by %s is told apart by its value, and nothing is the same as nothing", (dedupe, expected) => {
  const rule = ruleOf(`name: r\nsource: github\ntask: { type: work, dedupe: ${JSON.stringify(dedupe)} }`);
  const body = { ...push, sender: { ...push.sender, ...(expected === null && { company: null }) } };
  expect(rule.draft(signal(body))).toMatchObject({ kind: "task", dedupe: expected });
});

test.each([
  ["push", { ref: "refs/heads/a/b" }, "a/b"],
  ["push", { ref: "refs/tags/v1" }, null],
  ["create", { ref: "v1", ref_type: "tag" }, null],
  ["create", { ref: "next", ref_type: "branch" }, "next"],
  ["workflow_run", { workflow_run: { head_branch: "main" } }, "main"],
  ["check_run", { check_run: { check_suite: { head_branch: "dev" } } }, "dev"],
  ["pull_request", { pull_request: { base: { ref: "main" }, head: { ref: "mine" } } }, "main"],
  ["issues", { issue: {} }, null],
])("the branch of %s %j is %s", (event, body, branch) => {
  expect(signal(body, event).branch).toBe(branch);
});

test("texts made to be evil keep no rule busy", () => {
  const rule = ruleOf(`
name: r
source: github
repo: "*a*a*a*a*a*b"
branch: "**/a/**/a/**/b"
paths: ["**/*a*a*a*", "?*?*?*?*b"]
when: { title: { glob: "*x*x*x*x*y", contains: "{{" } }
task: { type: work, payload: "{{title|lower}} {{title|short}} {{title|json}}" }`);
  const evil = "ax/".repeat(133_334);
  const startedAt = performance.now();
  const all = {
    ref: `refs/heads/${evil}`,
    title: `${evil}{{`,
    repository: { full_name: evil },
    commits: [{ added: [evil] }],
  };
  rule.matches(signal(all));
  rule.draft(signal({ title: "{{".repeat(200_000) }));
  expect(performance.now() - startedAt).toBeLessThan(2_000);
});

test("a push of a hundred thousand files keeps no rule busy", () => {
  const rule = ruleOf(`
name: r
source: github
paths: ["services/**/*.sql", docs/**, "**/*.md"]
task: { type: work }`);
  const modified = Array.from({ length: 100_000 }, (_, index) => `packages/some/folder/src/deep/file-${index}.ts`);
  const all = signal({ ...push, commits: [{ modified }] });
  const startedAt = performance.now();
  for (let asked = 0; asked < 20; asked++) expect(rule.matches(all)).toBe(false);
  expect(performance.now() - startedAt).toBeLessThan(4_000);
});
