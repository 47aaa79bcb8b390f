import { startProcess } from "@signalbox/testing/service-process.ts";
import { expect, test } from "vitest";
import { fleetPlace } from "./fleet.fixture.ts";

test("the demo plays its whole story, and ends", async () => {
  await using place = await fleetPlace();
  await using demo = startProcess({
    main: "packages/cli/demo.ts",
    args: ["--once"],
    env: {
      SIGNALBOX_HOME: place.home,
      SIGNALBOX_PORT_BASE: String(place.portBase),
      SIGNALBOX_ENV_FILE: "/dev/null",
      RENDER_API_TOKEN: "rnd_real",
    },
  });
  const { code } = await demo.exited;
  const said = demo.output();
  expect({ code, said }).toMatchObject({ code: 0 });
  const scenes = [
    /1\/6 .+\n.+the second deploy is live/,
    /2\/6 .+\n.+became the task [0-9a-f-]{36} by a rule, and an agent has run it/,
    /3\/6 .+\n.+failed: publish_path_missing\n.+"build".+"dist".+it is live/,
    /4\/6 .+\n.+critical: Sign-ups.+\n.+the task waits, and nothing has been done/,
    /5\/6 .+\n.+\n.+rolled shop-api back: its newest deploy is a rollback, live/,
    /6\/6 .+\n.+created by service:internal.+approved by 1000001.+side_effect.+completed by agent:renderctl/,
    /The end\.\n/,
  ];
  for (const scene of scenes) expect(said).toMatch(scene);
  expect(said).not.toContain("rnd_real");
}, 300_000);
