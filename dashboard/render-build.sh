#!/bin/sh
# Builds the dashboard on a static host (Render: build command `dashboard/render-build.sh`, publish path `dashboard/dist`).
# The services' addresses come from the environment: ORCHESTRATOR_URL (required), LOGGING_URL, ECHO_AGENT_URL, RENDERCTL_URL,
# POSTHOG_WATCHER_URL, TELEGRAM_URL; a service that is not named is shown as off. FLEET_NAME is what the page calls the fleet.
set -eu
cd "$(dirname "$0")/.."

if [ -z "${ORCHESTRATOR_URL:-}" ]; then
  echo "dashboard: set ORCHESTRATOR_URL to the orchestrator's public address" >&2
  exit 1
fi

npx --yes pnpm install --frozen-lockfile
PATH="$PWD/node_modules/.bin:$PATH" node dashboard/build.ts --fleet-from-env
