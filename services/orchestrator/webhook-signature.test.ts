import { createHmac } from "node:crypto";
import { expect, test } from "vitest";
import { judgeBearer, judgeGithub, judgeStandard, signStandard, toSenders } from "./webhook-signature.ts";

const body = Buffer.from('\ufeff{"text":"🙂 é"}\r\n');
const hubSignature = (secret: string, bytes: Uint8Array = body) =>
  `sha256=${createHmac("sha256", secret).update(bytes).digest("hex")}`;

test("GitHub's own example is verified", () => {
  // https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries#testing-the-webhook-payload-validation
  const signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
  expect(judgeGithub(Buffer.from("Hello, World!"), signature, ["It's a Secret to Everybody"])).toBe("current");
});

test("the secret before is told from the one of now", () => {
  expect(judgeGithub(body, hubSignature("new"), ["new", "old"])).toBe("current");
  expect(judgeGithub(body, hubSignature("old"), ["new", "old"])).toBe("previous");
});

test.each([
  ["another secret", hubSignature("other")],
  ["another body", hubSignature("new", Buffer.from("{}"))],
  ["the same text without its mark and line end", hubSignature("new", Buffer.from('{"text":"🙂 é"}'))],
  ["no signature", undefined],
  ["an empty one", ""],
  ["one that is cut", hubSignature("new").slice(0, -2)],
  ["one that is too long", `${hubSignature("new")}00`],
  ["the old kind", hubSignature("new").replace("sha256", "sha1")],
  ["two of them", `${hubSignature("new")},${hubSignature("new")}`],
])("%s is refused", (_name, signature) => {
  expect(judgeGithub(body, signature, ["new", "old"])).toBeNull();
});

test("without a secret nothing is signed", () => {
  expect(judgeGithub(body, hubSignature(""), [])).toBeNull();
});

// The example of the specification: secret, id, time, body and signature.
const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const example = {
  id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
  timestamp: "1614265330",
  signature: "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
};
const exampleBody = Buffer.from('{"test": 2432232314}');
const at = 1_614_265_330;

test("the example of Standard Webhooks is signed as the specification shows", () => {
  expect(signStandard(secret, example.id, { timestamp: at, body: exampleBody.toString() })).toBe(example.signature);
});

test("the example of Standard Webhooks is verified, alone and among others", () => {
  const judge = (signature: string, secrets = [secret]) =>
    judgeStandard(exampleBody, { ...example, signature }, { secrets, nowSeconds: at });
  expect(judge(example.signature)).toBe("current");
  expect(judge(`v1a,xxxx v1,AAAA v2,${example.signature.slice(3)} ${example.signature}`)).toBe("current");
  expect(judge(example.signature, ["whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", secret])).toBe("previous");
  expect(judge(`v2,${example.signature.slice(3)}`)).toBeNull();
  expect(judge(`${"v1,AAAA ".repeat(20)}${example.signature}`)).toBeNull();
});

test.each([
  [-301, null],
  [-300, "current"],
  [0, "current"],
  [300, "current"],
  [301, null],
])("a clock that differs by %i s: %s", (difference, expected) => {
  const judged = judgeStandard(exampleBody, example, { secrets: [secret], nowSeconds: at + difference });
  expect(judged).toBe(expected);
});

test.each([
  ["the id", { ...example, id: "msg_other" }],
  ["no id", { ...example, id: undefined }],
  ["the time", { ...example, timestamp: "1614265331" }],
  ["a time that is no number", { ...example, timestamp: "1614265330.0" }],
  ["no time", { ...example, timestamp: undefined }],
  ["no signature", { ...example, signature: undefined }],
])("%s changed is refused", (_name, headers) => {
  expect(judgeStandard(exampleBody, headers, { secrets: [secret], nowSeconds: at })).toBeNull();
});

test("a bearer token is compared whole", () => {
  expect(judgeBearer("Bearer s3cret-token", ["s3cret-token"])).toBe("current");
  expect(judgeBearer("bearer old-token", ["s3cret-token", "old-token"])).toBe("previous");
  for (const header of [
    undefined,
    "",
    "Bearer ",
    "Bearer s3cret-toke",
    "Basic s3cret-token",
    "Bearer s3cret-token x",
  ]) {
    expect(judgeBearer(header, ["s3cret-token"])).toBeNull();
  }
});

test("senders are read from the setting, a source's second secret is its previous", () => {
  const senders = toSenders(["a=standard:whsec_one", "b=bearer:x:y=z", "a=standard:whsec_two"]);
  expect([...senders]).toEqual([
    ["a", [{ scheme: "standard", secrets: ["whsec_one", "whsec_two"] }]],
    ["b", [{ scheme: "bearer", secrets: ["x:y=z"] }]],
  ]);
});
