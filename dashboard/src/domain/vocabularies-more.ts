import type { Delivery } from "@signalbox/common/contracts/webhook.ts";
import type { FilterKey, Vocabulary } from "./filter.ts";
import { type Finding, findingStatuses, severities } from "./finding.ts";
import type { RenderService } from "./render.ts";

type Read<Row> = (row: Row) => string | null;

const text = <Row>(param: string, example: string, read: Read<Row>): FilterKey<Row> => ({
  param,
  names: [param],
  kind: "text",
  example,
  read,
});

/** A word of a list where the API takes one: several of them are looked for in the rows that are loaded. */
const word = <Row>(param: string, words: readonly string[], read: Read<Row>): FilterKey<Row> => ({
  ...text(param, `${param}:${words[0]}`, read),
  words,
});

const words = <Row>(param: string, all: readonly string[], read: Read<Row>): FilterKey<Row> => ({
  ...word(param, all, read),
  kind: "words",
});

export const renderVocabulary: Vocabulary<RenderService> = {
  keys: [
    text("name", "name:api", (service) => service.name),
    word(
      "type",
      ["web_service", "static_site", "private_service", "background_worker", "cron_job"],
      (service) => service.type,
    ),
  ],
  textIsLocal: true,
  textOf: (service) => `${service.name} ${service.id} ${service.url ?? ""} ${service.lastDeploy?.status ?? ""}`,
  atOf: (service) => service.createdAt,
};

export const findingVocabulary: Vocabulary<Finding> = {
  keys: [
    words("status", findingStatuses, (finding) => finding.status),
    words("severity", severities, (finding) => finding.severity),
    text("monitor", "monitor:signups", (finding) => finding.monitor),
  ],
  textIsLocal: true,
  textOf: (finding) => `${finding.title} ${finding.monitor} ${finding.note ?? ""}`,
  atOf: (finding) => finding.openedAt,
};

export const deliveryVocabulary: Vocabulary<Delivery> = {
  keys: [
    text("source", "source:github", (delivery) => delivery.source),
    word("outcome", ["accepted", "ignored", "failed", "ping", "unreadable"], (delivery) => delivery.outcome),
    text("event", "event:push", (delivery) => delivery.event),
  ],
  textIsLocal: true,
  textOf: (delivery) => `${delivery.source} ${delivery.event ?? ""} ${delivery.action ?? ""} ${delivery.deliveryId}`,
  atOf: (delivery) => delivery.receivedAt,
};
