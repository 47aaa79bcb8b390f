import { freshDatabase } from "@signalbox/testing/database.ts";
import { startRenderStandIn } from "@signalbox/testing/render-stand-in/server.ts";
import { startProcess, startService } from "@signalbox/testing/service-process.ts";
import { expect, test } from "vitest";

const main = "services/renderctl/main.ts";
const basic = { authorization: `Basic ${Buffer.from("operator:a-test-password").toString("base64")}` };
const env = {
  ...{ BASIC_AUTH_USER: "operator", BASIC_AUTH_PASS: "a-test-password", INTERNAL_KEY: "test-internal-key" },
  ...{ ORCHESTRATOR_URL: "http://127.0.0.1:9", LOGGING_URL: "http://127.0.0.1:9", LOG_LEVEL: "debug" },
};

test("it boots by itself, reads Render, says nothing of the token, and SIGTERM ends it with 0", async () => {
  await using database = await freshDatabase();
  await using render = await startRenderStandIn();
  await using service = await startService({
    main,
    env: { ...env, DATABASE_URL: database.url, RENDER_API_TOKEN: render.token, RENDER_API_BASE_URL: render.apiUrl },
  });
  const read = async (path: string) => {
    const response = await fetch(service.url + path, { headers: basic });
    return { status: response.status, text: await response.text() };
  };
  expect((await read("/ready")).status).toBe(200);
  expect(await read("/render/services")).toEqual({ status: 200, text: '{"items":[],"nextCursor":null}' });
  render.control.fail({ kind: "status", status: 400, message: `who is ${render.token}?`, times: 1 });
  const refused = await read("/render/services");
  expect(refused.status).toBe(422);
  const texts = [refused.text, (await read("/config/validate")).text, (await read("/metrics")).text];
  expect(await service.stop()).toMatchObject({ code: 0 });
  for (const text of [...texts, service.output()]) expect(text).not.toContain(render.token);
});

test("without a token it names the setting and ends with 1", async () => {
  await using service = startProcess({ main, env: { ...env, DATABASE_URL: "postgres://127.0.0.1:9/none" } });
  expect(await service.exited).toMatchObject({ code: 1 });
  expect(service.output()).toContain("RENDER_API_TOKEN is required but not set");
});
