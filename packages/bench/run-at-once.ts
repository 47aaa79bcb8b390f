/** Runs `work(0)` to `work(count - 1)`, always `atOnce` of them under way; the first failure ends all. */
export async function runAtOnce(count: number, atOnce: number, work: (number: number) => Promise<void>): Promise<void> {
  let next = 0;
  let isFailed = false;
  const loop = async () => {
    while (next < count && !isFailed) {
      await work(next++).catch((error: unknown) => {
        isFailed = true;
        throw error;
      });
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, count) }, loop));
}
