export type Verdict = { exitCode: 0 | 1; text: string };

type Report = { metadata?: { vulnerabilities?: Record<string, number> }; advisories?: Record<string, Advisory> };
type Advisory = { module_name?: string; severity?: string; title?: string; url?: string };

const grave = ["high", "critical"];
const refused = /ERR_PNPM_AUDIT|responded with \d+|ENOTFOUND|ECONNREFUSED|ETIMEDOUT|EAI_AGAIN|fetch failed|network/i;

/** What `pnpm audit --json` means: grave holes fail, others are told, and a registry that does not answer is no finding. */
export function judgeAudit(code: number, output: string): Verdict {
  const report = findReport(output);
  if (report === null) {
    if (code !== 0 && !refused.test(output))
      return { exitCode: 1, text: `the audit failed: ${output.trim().slice(-500)}` };
    return { exitCode: 0, text: "not audited: the registry's audit endpoint cannot be reached from here" };
  }
  const found = Object.values(report.advisories ?? {});
  const lines = found.map(({ severity, module_name, title, url }) =>
    `${severity} ${module_name}: ${title} ${url ?? ""}`.trim(),
  );
  const isGrave = found.some(({ severity }) => grave.includes(severity ?? ""));
  const head = found.length === 0 ? "audited: no known holes" : `audited: ${found.length} known`;
  return { exitCode: isGrave ? 1 : 0, text: [head, ...lines].join("\n") };
}

/** The launcher may print lines of its own around it. */
function findReport(output: string): Report | null {
  const [from, to] = [output.indexOf("{"), output.lastIndexOf("}")];
  try {
    const parsed = JSON.parse(output.slice(from, to + 1)) as Report & { error?: unknown };
    return parsed.error === undefined ? parsed : null;
  } catch {
    return null;
  }
}
