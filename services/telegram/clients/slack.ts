import { Connections, request } from "@signalbox/common/http-client.ts";
import { type Notifier, NotifierError } from "../notifier.ts";
import { escapeHtml } from "../rich-text.ts";

const timeoutMs = 10_000;
/** Slack cuts what is longer. */
const mostText = 3_500;

/** An incoming webhook as Slack has it, and Mattermost, Rocket.Chat and others too: `{"text"}`. The address is the secret. */
export function buildSlackNotifier(url: string): Notifier {
  const connections = new Connections({
    connect: { timeout: 3_000 },
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
  });
  return {
    name: "slack",
    async tell({ text }) {
      // The same three signs as in HTML.
      const body = JSON.stringify({ text: escapeHtml(text.slice(0, mostText).toWellFormed()) });
      const headers = { "content-type": "application/json" };
      const signal = AbortSignal.timeout(timeoutMs);
      const response = await request(url, { method: "POST", dispatcher: connections, headers, body, signal }).catch(
        () => {
          throw new NotifierError("the webhook cannot be reached", false);
        },
      );
      await response.body.dump();
      const { statusCode: status } = response;
      if (status < 300) return;
      const isFinal = status >= 400 && status < 500 && status !== 408 && status !== 429;
      throw new NotifierError(`the webhook answered ${status}`, isFinal);
    },
    close: () => connections.destroy(),
  };
}
