export type Losses = ReturnType<typeof buildLosses>;

/**
 * Counts records that nobody will ever read, and says so: through the log itself as soon as it takes a line again, at most
 * every `everyMs`. A report that itself finds no place is not counted as one more loss; its number is told next time.
 */
export function buildLosses(report: (dropped: number) => void, everyMs: number) {
  let total = 0;
  let untold = 0;
  let reportAt = 0;
  let isReporting = false;
  let toldStatus = 0;

  return {
    total: () => total,
    add(rows: number): void {
      if (isReporting) isReporting = false;
      else {
        total += rows;
        untold += rows;
      }
    },
    report(): void {
      const now = performance.now();
      if (untold === 0 || now < reportAt) return;
      reportAt = now + everyMs;
      isReporting = true;
      report(untold);
      if (isReporting) untold = 0;
      isReporting = false;
    },
    /** To stderr: the log itself is what does not work. */
    tellOnce({ url, service }: { url: string; service: string }, status: number): void {
      if (status === toldStatus) return;
      toldStatus = status;
      tell(
        `logging at ${new URL(url).origin} refuses the records of ${service} with ${status}; they are dropped. ${advice(status)}`,
      );
    },
  };
}

function advice(status: number): string {
  return status === 401 || status === 403 ? "Check INTERNAL_KEY." : "Check LOGGING_URL.";
}

export function tell(text: string): void {
  process.stderr.write(`${text}\n`);
}
