import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["services", "packages", "dashboard", "tests"].map((room) => `${room}/**/*.test.{ts,tsx}`),
    globalSetup: ["packages/testing/global-setup.ts"],
    pool: "forks",
    // Most of a test's time is spent waiting for the database; the limit of open databases is its connections.
    maxConcurrency: 8,
    // For the same reason more files run side by side than there are cores; by default it would be one fewer.
    maxWorkers: 3,
    // Generous: on a busy machine everything takes long, and a failure by time says nothing.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // A test that fails to end its server or timer is a fault of the test.
    teardownTimeout: 20_000,
    // A rule of the house: a test cannot be switched off or focused by accident.
    allowOnly: false,
    passWithNoTests: false,
  },
});
