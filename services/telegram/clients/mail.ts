import { createTransport } from "nodemailer";
import { type Notifier, NotifierError } from "../notifier.ts";

const timeoutMs = 15_000;

/** @param url such as smtps://user:pass@mail.example:465; it holds the password, so it is in no message of an error */
export function buildMailNotifier({ url, from, to }: { url: string; from: string; to: readonly string[] }): Notifier {
  const transport = createTransport(url, { from });
  Object.assign(transport.options, {
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
  });
  return {
    name: "mail",
    async tell({ subject, text }) {
      await transport.sendMail({ from, to: [...to], subject, text }).catch((error: unknown) => {
        const code = codeOf(error);
        throw new NotifierError(`the mail server refused or did not answer (${code || "no code"})`, code >= 500);
      });
    },
    close: async () => transport.close(),
  };
}

/** SMTP's own number: 4xx may pass, 5xx will not. */
function codeOf(error: unknown): number {
  return typeof error === "object" && error !== null && "responseCode" in error ? Number(error.responseCode) : 0;
}
