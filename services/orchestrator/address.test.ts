import { expect, test } from "vitest";
import { isForbiddenAddress, isPrivateAddress, judgeAgentUrl, judgeReceiverUrl } from "./address.ts";

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
  "http://[fd20:ce::254]",
  "http://168.63.129.16",
  "http://[::ffff:168.63.129.16]",
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

test.each([
  "https://hooks.example/signalbox",
  "https://hooks.example:8443/a?token=b",
  "http://93.184.216.34/",
  "http://[2606:2800:220:1::1]/",
])("events may be sent to %s", (url) => {
  expect(judgeReceiverUrl(url, false)).toBeNull();
});

test.each([
  ["not a url", "spaces"],
  ["//hooks.example", "absolute"],
  ["ftp://hooks.example", "http"],
  ["file:///etc/passwd", "http"],
  ["https://ann@hooks.example", "credentials"],
  ["https://ann:secret@hooks.example", "credentials"],
  ["https://hooks.example/#part", "fragment"],
  ["https://hooks.example/\n", "spaces"],
  ["http://169.254.169.254/latest", "metadata"],
  ["http://[fd00:ec2::254]/", "metadata"],
])("no event is sent to %s, whatever is allowed: %s", (url, why) => {
  for (const allowPrivate of [true, false]) expect(judgeReceiverUrl(url, allowPrivate)).toContain(why);
});

test.each([
  "http://127.0.0.1:9000/",
  "http://127.1/",
  "http://2130706433/",
  "http://0x7f.0.0.1/",
  "http://localhost/",
  "http://LOCALHOST./",
  "http://a.localhost/",
  "http://10.0.0.1/",
  "http://100.64.0.1/",
  "http://172.31.255.255/",
  "http://192.168.1.1/",
  "http://[::1]/",
  "http://[::ffff:127.0.0.1]/",
  "http://[::ffff:7f00:1]/",
  "http://[::127.0.0.1]/",
  "http://[fc00::1]/",
  "http://[64:ff9b::10.0.0.1]/",
  "http://[2002:7f00:1::]/",
])("an event is sent to %s only where that is allowed", (url) => {
  expect(judgeReceiverUrl(url, false)).toContain("private");
  expect(judgeReceiverUrl(url, true)).toBeNull();
});

test.each([
  ["127.0.0.1", true],
  ["10.255.255.255", true],
  ["11.0.0.0", false],
  ["172.15.255.255", false],
  ["172.32.0.0", false],
  ["100.63.255.255", false],
  ["192.0.2.7", true],
  ["198.19.0.1", true],
  ["8.8.8.8", false],
  ["::1", true],
  ["::ffff:10.0.0.1", true],
  ["fd12::1", true],
  ["fe80::1%eth0", true],
  ["2001:0:53aa:64c::1", true],
  ["2001:db8::1", true],
  ["2a00:1450::1", false],
  ["64:ff9b::8.8.8.8", false],
  ["64:ff9b::a00:1", true],
  ["64:ff9b:1::1", true],
])("a name that resolves to %s: private is %s", (address, isPrivate) => {
  expect(isPrivateAddress(address)).toBe(isPrivate);
});
