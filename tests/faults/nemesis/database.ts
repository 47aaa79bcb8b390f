import { openSession, type Session } from "@signalbox/testing/session.ts";
import { type Fault, lasting, type Scene } from "../scene.ts";

async function restart(scene: Scene, mode: "fast" | "immediate"): Promise<void> {
  const { world, dice } = scene;
  await world.cluster.stop(mode);
  scene.injected(`PostgreSQL stopped (${mode})`);
  await lasting(dice.between(100, 3_000));
  await world.cluster.start();
}

const fast: Fault = {
  name: "postgres-fast",
  about: "fast restarts of PostgreSQL (SIGINT)",
  async inject(scene) {
    for (let times = 2; times > 0; times--) {
      await restart(scene, "fast");
      await lasting(scene.dice.between(1_500, 4_000));
    }
  },
};

const crash: Fault = {
  name: "postgres-crash",
  about: "crashes of PostgreSQL: SIGQUIT to the postmaster, SIGKILL of a session's process",
  async inject(scene) {
    const { world, dice } = scene;
    await restart(scene, "immediate");
    await lasting(dice.between(2_000, 4_000));
    const rows = await world.query<{ pid: number }>(
      "select pid from pg_stat_activity where datname = current_database() and application_name like 'signalbox %'",
    );
    if (rows.length > 0) process.kill(dice.pick(rows).pid, "SIGKILL");
    scene.injected("SIGKILL of a session: the server crashes and recovers");
    await lasting(dice.between(3_000, 5_000));
  },
};

const terminate: Fault = {
  name: "postgres-terminate",
  about: "pg_terminate_backend on every session, again and again",
  async inject(scene) {
    for (let times = 6; times > 0; times--) {
      await scene.world.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
      );
      scene.injected("all sessions terminated");
      await lasting(scene.dice.between(300, 1_800));
    }
  },
};

/** Holds so many connections that nobody else gets one. */
async function drainConnections(scene: Scene): Promise<void> {
  const { world, dice } = scene;
  const held: Session[] = [];
  try {
    await world.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
    );
    for (;;) held.push(await openSession(world.database.url));
  } catch {
    // Full: this is what was wanted.
  }
  scene.injected(`${held.length} sessions held, none left`);
  await lasting(dice.between(3_000, 6_000));
  await Promise.all(held.map((session) => session.end().catch(() => undefined)));
}

/** Locks rows that others want: their callers are told in time, and nobody else waits for them. */
async function lockRows(scene: Scene, ms: number): Promise<void> {
  const { world } = scene;
  await using holder = await openSession(world.cluster.url.replace(/\/postgres$/, `/${world.database.name}`));
  await holder.query("begin");
  const { rowCount } = await holder.query(
    "select 1 from tasks where status in ('queued', 'running', 'waiting') order by created_at desc limit 40 for update skip locked",
  );
  scene.injected(`${rowCount} rows locked`);
  await lasting(ms);
  await holder.query("rollback");
}

const drained: Fault = {
  name: "pool-drained",
  about: "no connection left for anybody; rows of tasks locked by a stranger",
  async inject(scene) {
    await drainConnections(scene);
    await lasting(2_000);
    for (let times = 2; times > 0; times--) {
      await lockRows(scene, scene.dice.between(3_000, 7_000));
      await lasting(1_000);
    }
  },
};

export const databaseFaults = [fast, crash, terminate, drained];
