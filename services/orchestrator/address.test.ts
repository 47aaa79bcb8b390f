import { expect, test } from "vitest";
import { isForbiddenAddress, judgeAgentUrl } from "./address.ts";

test.each([
  "http://127.0.0.1:4002",
  "http://localhost:4002",
  "https://agent.example/base/path",
  "http://10.1.2.3",
  "http://192.168.0.7:8080",
  "http://agent.internal:10000",
  "http://[::1]:4002",
  "http://[fd12:3456::7]",
  "http://[2001:db8::1]",
])("%s may be called", (url) => {
  expect(judgeAgentUrl(url)).toBeNull();
});

test.each([
  ["not a url", "absolute"],
  ["/run", "absolute"],
  ["http://", "absolute"],
  ["ftp://agent.example", "http"],
  ["file:///etc/passwd", "http"],
  ["javascript:alert(1)", "http"],
  ["http://user@agent.example", "credentials"],
  ["http://user:pass@agent.example", "credentials"],
  ["http://:pass@agent.example", "credentials"],
  ["http://agent.example?key=1", "query"],
  ["http://agent.example#part", "query"],
])("%s is refused: %s", (url, why) => {
  expect(judgeAgentUrl(url)).toContain(why);
});

/** The machines' metadata service and other addresses where no agent lives, as people have written them to get past filters. */
test.each([
  "http://169.254.169.254",
  "http://169.254.169.254/latest/meta-data",
  "http://2852039166",
  "http://0xa9fea9fe",
  "http://0xA9.0xFE.0xA9.0xFE",
  "http://0251.0376.0251.0376",
  "http://169.254.43518",
  "http://169.16689662",
  "http://169.254.169.254.",
  "http://①⑥⑨.254.169.254",
  "http://[::ffff:169.254.169.254]",
  "http://[::ffff:a9fe:a9fe]",
  "http://[0:0:0:0:0:ffff:a9fe:a9fe]",
  "http://[::169.254.169.254]",
  "http://[64:ff9b::169.254.169.254]",
  "http://[64:ff9b::a9fe:a9fe]",
  "http://[2002:a9fe:a9fe::]",
  "http://[fe80::1]",
  "http://[febf::1]",
  "http://[fd00:ec2::254]",
  "http://0.0.0.0:4002",
  "http://0",
  "http://0.1.2.3",
  "http://[::]",
  "http://[::ffff:0.0.0.0]",
  "http://224.0.0.1",
  "http://255.255.255.255",
  "http://[ff02::1]",
  "http://[::ffff:224.0.0.1]",
  "http://100.100.100.200",
])("%s is refused", (url) => {
  expect(judgeAgentUrl(url)).toContain("address");
});

test.each([
  ["169.254.1.1", true],
  ["::ffff:169.254.1.1", true],
  ["::FFFF:A9FE:0101", true],
  ["FE80::1", true],
  ["fe80::1%eth0", true],
  ["0.0.0.0", true],
  ["::", true],
  ["239.1.1.1", true],
  ["127.0.0.1", false],
  ["10.0.0.1", false],
  ["168.254.1.1", false],
  ["::1", false],
  ["fd00::1", false],
  ["2600:1f00::1", false],
  ["::ffff:10.0.0.1", false],
])("a name that resolves to %s: refused is %s", (address, isForbidden) => {
  expect(isForbiddenAddress(address)).toBe(isForbidden);
});
