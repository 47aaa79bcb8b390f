import { agentSettings } from "@signalbox/common/agent.ts";
import { defineSettings, httpUrl, portSetting, serviceSettings } from "@signalbox/common/settings.ts";
import { type Static, Type } from "typebox";

const telegramId = "^-?[1-9][0-9]{0,15}$";

export const settings = defineSettings("telegram", {
  ...agentSettings,
  PORT: portSetting(4030),
  DATABASE_URL: serviceSettings.DATABASE_URL,
  TELEGRAM_BOT_TOKEN: Type.String({
    title: "a bot token such as 123456:ABC…",
    description: "Token of the bot, from @BotFather; without it the service is off",
    pattern: "^[A-Za-z0-9:_-]{1,200}$",
    writeOnly: true,
  }),
  TELEGRAM_INGEST_MODE: Type.Enum(["polling", "webhook"], {
    title: "Ingest mode",
    description: "How messages arrive: the service asks for them, or Telegram posts them to /telegram/webhook",
    default: "polling",
  }),
  TELEGRAM_WEBHOOK_SECRET: Type.Optional(
    Type.String({
      title: "1 to 256 letters, digits, _ and -",
      description: "Word that Telegram shows with every post to /telegram/webhook; required in webhook mode",
      pattern: "^[A-Za-z0-9_-]{1,256}$",
      writeOnly: true,
    }),
  ),
  TELEGRAM_WEBHOOK_URL: Type.Optional(
    Type.String({
      title: "an http(s) URL",
      description: "Public address of this service, for Telegram's posts; default: RENDER_EXTERNAL_URL",
      format: "uri",
      pattern: httpUrl,
    }),
  ),
  RENDER_EXTERNAL_URL: Type.Optional(
    Type.String({
      title: "an http(s) URL",
      description: "Public address of this service; Render sets it",
      format: "uri",
      pattern: httpUrl,
    }),
  ),
  TELEGRAM_ALLOWED_USER_IDS: Type.Array(Type.String({ pattern: telegramId }), {
    title: "Telegram user ids, separated by commas",
    description: "People who may use the bot besides those who paired: Telegram user ids, separated by commas",
    default: [],
  }),
  TELEGRAM_ALLOWED_CHAT_IDS: Type.Array(Type.String({ pattern: telegramId }), {
    title: "Telegram chat ids, separated by commas",
    description: "Groups in which the bot listens to those people: Telegram chat ids, separated by commas; empty: none",
    default: [],
  }),
  TELEGRAM_NOTIFY_CHAT_IDS: Type.Array(Type.String({ pattern: telegramId }), {
    title: "Telegram chat ids, separated by commas",
    description: "Chats that alerts and approvals go to; default: the personal chats of all who may use the bot",
    default: [],
  }),
  TELEGRAM_API_ROOT: Type.String({
    title: "an http(s) URL",
    description: "Address of the Bot API",
    format: "uri",
    pattern: httpUrl,
    default: "https://api.telegram.org",
  }),
  TELEGRAM_POLL_SECONDS: Type.Integer({
    title: "seconds",
    description: "How long one call waits for messages while polling",
    minimum: 0,
    maximum: 50,
    default: 30,
  }),
  TELEGRAM_RETENTION_DAYS: Type.Integer({
    title: "days",
    description: "How long messages that came and went are kept",
    minimum: 1,
    maximum: 365,
    default: 30,
  }),
  NOTIFY_RULES_FILE: Type.Optional(
    Type.String({
      title: "Rules of notifications",
      description: "File that says who is told of what; default: infra/notify-rules.yaml",
      minLength: 1,
    }),
  ),
  NOTIFY_SLACK_WEBHOOK_URL: Type.Optional(
    Type.String({
      title: "an http(s) URL",
      description: "Incoming webhook of Slack, or of a chat that takes the same, which is told of notices too",
      format: "uri",
      pattern: "^https?://\\S+$",
      writeOnly: true,
    }),
  ),
  NOTIFY_SMTP_URL: Type.Optional(
    Type.String({
      title: "an smtp:// or smtps:// URL",
      description: "Mail server that notices are sent by too, such as smtps://user:password@mail.example:465",
      pattern: "^smtps?://\\S+$",
      writeOnly: true,
    }),
  ),
  NOTIFY_MAIL_FROM: Type.String({
    title: "an address",
    description: "Sender of the notices by mail",
    pattern: "^[^\\s@]+@[^\\s@]+$",
    default: "signalbox@localhost",
  }),
  NOTIFY_MAIL_TO: Type.Array(Type.String({ pattern: "^[^\\s@,]+@[^\\s@,]+$" }), {
    title: "addresses, separated by commas",
    description: "Who gets the notices by mail: addresses, separated by commas; empty: nobody",
    default: [],
  }),
});

export type Settings = Static<typeof settings.schema>;
