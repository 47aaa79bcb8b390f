import { startGithubStandIn } from "@signalbox/testing/github-stand-in.ts";
import { addEveryday } from "@signalbox/testing/posthog-stand-in/everyday.ts";
import { startPosthogStandIn } from "@signalbox/testing/posthog-stand-in/server.ts";
import { startRenderStandIn } from "@signalbox/testing/render-stand-in/server.ts";
import { startTelegramStandIn } from "@signalbox/testing/telegram-stand-in.ts";

/*
 * A rehearsal: the whole fleet with local stand-ins for the vendors, so that every capability can be tried without an
 * account. What the vendors' addresses and tokens are set to elsewhere does not count: a rehearsal never leaves this machine.
 */

export type Emulators = {
  /** Where each stand-in is, by the vendor's name. */
  urls: Record<string, { url: string }>;
  /** What points every service at them; these win over every source of settings. */
  settings: Record<string, string>;
  stop(): Promise<void>;
};

/** Drawn anew by each rehearsal's stand-ins; they open nothing outside. */
const rehearsedSecrets = {
  github: "rehearsal-github-webhook-secret",
  posthog: "rehearsal-posthog-webhook-secret",
  telegram: "rehearsal-telegram-webhook-secret",
};
/** The one person who chats in a rehearsal. */
const rehearsedUserId = "1000001";

/** Settings of a vendor that is not there, and would reach for the real one. */
const neverInRehearsal = ["NOTIFY_SLACK_WEBHOOK_URL", "NOTIFY_SMTP_URL", "RENDER_EXTERNAL_URL", "RENDER_SERVICE_ID"];

/**
 * The home outlives its stand-ins, and what a bot has seen of its updates is known by their numbers: a rehearsal that began with the
 * same one again would have its first messages taken for old ones.
 */
const firstUpdateId = () => Math.floor(Date.now() / 1_000);

export async function startEmulators(orchestratorUrl: string): Promise<Emulators> {
  const [render, telegram, posthog, github] = await Promise.all([
    startRenderStandIn({ stageMs: 500 }),
    startTelegramStandIn({ firstUpdateId: firstUpdateId() }),
    startPosthogStandIn(),
    startGithubStandIn({ token: "rehearsal-github-token" }),
  ]);
  addEveryday(posthog.control, Date.now());
  const hook = github.addHook({
    owner: "acme/shop",
    url: `${orchestratorUrl}/webhooks/github`,
    secret: rehearsedSecrets.github,
  });
  return {
    urls: {
      render: { url: render.url },
      telegram: { url: telegram.url },
      posthog: { url: posthog.url },
      github: { url: github.url },
    },
    settings: {
      ...Object.fromEntries(neverInRehearsal.map((key) => [key, ""])),
      RENDER_API_BASE_URL: render.apiUrl,
      RENDER_API_TOKEN: render.token,
      RENDER_OWNER_ID: "",
      // What the blueprint is built from; the stand-in builds any repository that nobody described.
      RENDER_REPO: "https://github.com/acme/signalbox",
      TELEGRAM_API_ROOT: telegram.url,
      TELEGRAM_BOT_TOKEN: telegram.token,
      TELEGRAM_INGEST_MODE: "polling",
      TELEGRAM_WEBHOOK_SECRET: rehearsedSecrets.telegram,
      TELEGRAM_ALLOWED_USER_IDS: rehearsedUserId,
      POSTHOG_HOST: posthog.url,
      POSTHOG_PROJECT_ID: String(posthog.projectId),
      POSTHOG_API_KEY: posthog.apiKey,
      POSTHOG_WEBHOOK_SECRET: rehearsedSecrets.posthog,
      POSTHOG_ISSUE_REPO: "acme/shop",
      GITHUB_API_URL: github.url,
      GITHUB_TOKEN: github.token,
      GITHUB_HOOKS: `${hook.owner}:${hook.id}`,
      GITHUB_WEBHOOK_SECRET: rehearsedSecrets.github,
    },
    async stop() {
      await Promise.all([render, telegram, posthog, github].map((standIn) => standIn[Symbol.asyncDispose]()));
    },
  };
}
