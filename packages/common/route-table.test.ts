import { expect, test } from "vitest";
import { buildRouteTable, pathOf } from "./route-table.ts";

const find = buildRouteTable([
  ["/", "root"],
  ["/task", "list"],
  ["/task/:id", "one"],
  ["/task/:taskId/events", "events"],
  ["/hooks/:source", "hook"],
  ["/hooks/deliveries", "deliveries"],
  ["/hooks/deliveries/:id", "delivery"],
  ["/hooks/:source/replay/:what", "replay"],
]);

test.each([
  ["/", "root", {}],
  ["/task", "list", {}],
  ["/task/", "list", {}],
  ["/task/7", "one", { id: "7" }],
  ["/task/7/events", "events", { taskId: "7" }],
  ["/hooks/github", "hook", { source: "github" }],
  ["/hooks/deliveries", "deliveries", {}],
  ["/hooks/deliveries/9", "delivery", { id: "9" }],
  ["/hooks/deliveries/replay/x", "replay", { source: "deliveries", what: "x" }],
  ["/task/a%2Fb%20c", "one", { id: "a/b c" }],
  ["/task/__proto__", "one", { id: "__proto__" }],
])("%s is the route %s", (path, value, params) => {
  expect(find(path)).toEqual({ value, params });
});

test.each(["/tasks", "/task//", "/task//events", "/Task", "//task", "/task/7/events/8", "", "*", "/hooks/a/b"])(
  "%j is no route",
  (path) => {
    expect(find(path)).toBeNull();
  },
);

test("bad %-encoding in a parameter is 400", () => {
  expect(() => find("/task/%zz")).toThrow(expect.objectContaining({ status: 400 }));
});

test("a path of a million segments is no route and no overflow", () => {
  expect(find(`/task${"/x".repeat(1_000_000)}`)).toBeNull();
});

test("two routes with one shape are a mistake", () => {
  expect(() =>
    buildRouteTable([
      ["/a/:b", 1],
      ["/a/:c", 2],
    ]),
  ).toThrow("two routes have the path /a/:c");
});

test.each([
  ["/a?b=/c", "/a"],
  ["http://host.example/a/b?c", "/a/b"],
  ["https://host.example", "/"],
  ["https://host.example?a", "/"],
  ["*", "*"],
])("the path of %s is %j", (target, path) => {
  expect(pathOf(target)).toBe(path);
});
