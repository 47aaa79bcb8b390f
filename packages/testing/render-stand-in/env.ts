import { randomBytes } from "node:crypto";
import type { Handler } from "./handler.ts";
import { toPage } from "./pages.ts";
import { getById, type Json, Refusal } from "./state.ts";

const keyPattern = /^[-._a-zA-Z][-._a-zA-Z0-9]*$/;

/** @throws Refusal 400 */
export function setVar(vars: Map<string, string>, key: string, given: Json): void {
  if (!keyPattern.test(key)) throw new Refusal(400, "invalid environment variable key");
  if (given.generateValue === false) throw new Refusal(400, "generateValue must be true");
  vars.set(key, given.generateValue === true ? randomBytes(32).toString("base64") : String(given.value));
}

/** @throws Refusal 400 */
export function setVars(vars: Map<string, string>, given: Json[]): void {
  for (const { key, ...value } of given) setVar(vars, String(key), value);
}

const toRows = (vars: Map<string, string>) => [...vars].map(([key, value]) => ({ id: key, key, value }));
const toVar = ({ key, value }: { key: string; value: string }) => ({ key, value });
const toFile = ({ key, value }: { key: string; value: string }) => ({ name: key, content: value });

const listVars: Handler = ({ state, params, query }) => {
  const { envVars } = getById(state.services, params.serviceId, "service");
  return { status: 200, body: toPage(toRows(envVars), query, "envVar", toVar) };
};

/** Replaces all of them; `null` or `[]` empties. */
const replaceVars: Handler = ({ state, params, body }) => {
  const service = getById(state.services, params.serviceId, "service");
  const fresh = new Map<string, string>();
  setVars(fresh, (body ?? []) as Json[]);
  service.envVars = fresh;
  return { status: 200, body: toPage(toRows(fresh), new URLSearchParams({ limit: "100" }), "envVar", toVar) };
};

const retrieveVar: Handler = ({ state, params }) => {
  const { envVars } = getById(state.services, params.serviceId, "service");
  const key = params.envVarKey ?? "";
  const value = envVars.get(key);
  if (value === undefined) throw new Refusal(404, `not found: env var ${key}`);
  return { status: 200, body: { key, value } };
};

const updateVar: Handler = ({ state, params, body }) => {
  const { envVars } = getById(state.services, params.serviceId, "service");
  const key = params.envVarKey ?? "";
  setVar(envVars, key, body as Json);
  return { status: 200, body: { key, value: envVars.get(key) } };
};

const deleteVar: Handler = ({ state, params }) => {
  const { envVars } = getById(state.services, params.serviceId, "service");
  if (!envVars.delete(params.envVarKey ?? "")) throw new Refusal(404, `not found: env var ${params.envVarKey}`);
  return { status: 204, body: null };
};

const listFiles: Handler = ({ state, params, query }) => {
  const { secretFiles } = getById(state.services, params.serviceId, "service");
  return { status: 200, body: toPage(toRows(secretFiles), query, "secretFile", toFile) };
};

const setFile: Handler = ({ state, params, body }) => {
  const { secretFiles } = getById(state.services, params.serviceId, "service");
  const name = params.envVarKey ?? "";
  const content = String((body as Json).content ?? "");
  secretFiles.set(name, content);
  return { status: 201, body: { name, content } };
};

const deleteFile: Handler = ({ state, params }) => {
  const { secretFiles } = getById(state.services, params.serviceId, "service");
  if (!secretFiles.delete(params.envVarKey ?? "")) throw new Refusal(404, "not found: secret file");
  return { status: 204, body: null };
};

export const envHandlers: Record<string, Handler> = {
  "get-env-vars-for-service": listVars,
  "update-env-vars-for-service": replaceVars,
  "retrieve-env-var": retrieveVar,
  "update-env-var": updateVar,
  "delete-env-var": deleteVar,
  "list-secret-files-for-service": listFiles,
  "add-or-update-secret-file": setFile,
  "delete-secret-file": deleteFile,
};
