import { expect, test } from "vitest";
import { startEmulators } from "./rehearsal.ts";

test("a rehearsal's first message has a number that no earlier rehearsal of the same home has seen", async () => {
  const startedAt = Math.floor(Date.now() / 1_000);
  const emulators = await startEmulators("http://127.0.0.1:9");
  try {
    const said = await fetch(`${emulators.urls.telegram?.url}/__control/messages`, {
      method: "POST",
      body: JSON.stringify({ chatId: 1, userId: 1, text: "hello again" }),
    });
    const { updateId } = (await said.json()) as { updateId: number };
    expect(updateId).toBeGreaterThanOrEqual(startedAt);
  } finally {
    await emulators.stop();
  }
});
