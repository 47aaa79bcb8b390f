import { expect, test } from "vitest";
import { judgeAudit } from "./audit-verdict.ts";

const report = (...severities: string[]) =>
  JSON.stringify({
    advisories: Object.fromEntries(
      severities.map((severity, id) => [id, { severity, module_name: "left-pad", title: "a hole", url: "https://x" }]),
    ),
  });

test.each([
  ["nothing known", 0, report(), 0, "no known holes"],
  ["a grave hole", 1, report("low", "critical"), 1, "critical left-pad: a hole"],
  ["small holes", 1, report("moderate"), 0, "moderate left-pad"],
  ["a launcher's own lines around it", 0, `npm warn x\n${report()}\n`, 0, "no known holes"],
  ["an endpoint that is not there", 1, "Error: ERR_PNPM_AUDIT_BAD_RESPONSE\n responded with 405:", 0, "not audited"],
  ["an error as a document", 1, '{"error":{"code":"ERR_PNPM_AUDIT_BAD_RESPONSE"}}', 0, "not audited"],
  ["no network", 1, "request failed: ENOTFOUND registry", 0, "not audited"],
  ["anything else", 1, "Unknown option", 1, "the audit failed"],
])("%s", (...[, code, output, exitCode, text]) => {
  expect(judgeAudit(code, output)).toMatchObject({ exitCode, text: expect.stringContaining(text) });
});
