/** Every call of Render's API that is made here, by the operation's name in Render's OpenAPI document. */
export const operations = {
  "list-owners": "GET /owners",
  "list-owner-audit-logs": "GET /owners/{ownerId}/audit-logs",

  "list-services": "GET /services",
  "create-service": "POST /services",
  "retrieve-service": "GET /services/{serviceId}",
  "update-service": "PATCH /services/{serviceId}",
  "delete-service": "DELETE /services/{serviceId}",
  "suspend-service": "POST /services/{serviceId}/suspend",
  "resume-service": "POST /services/{serviceId}/resume",
  "scale-service": "POST /services/{serviceId}/scale",
  "autoscale-service": "PUT /services/{serviceId}/autoscaling",
  "delete-autoscaling-config": "DELETE /services/{serviceId}/autoscaling",
  "list-routes": "GET /services/{serviceId}/routes",
  "put-routes": "PUT /services/{serviceId}/routes",
  "list-headers": "GET /services/{serviceId}/headers",
  "update-headers": "PUT /services/{serviceId}/headers",
  "list-custom-domains": "GET /services/{serviceId}/custom-domains",
  "create-custom-domain": "POST /services/{serviceId}/custom-domains",
  "delete-custom-domain": "DELETE /services/{serviceId}/custom-domains/{customDomainNameOrID}",

  "get-env-vars-for-service": "GET /services/{serviceId}/env-vars",
  "update-env-vars-for-service": "PUT /services/{serviceId}/env-vars",
  "retrieve-env-var": "GET /services/{serviceId}/env-vars/{envVarKey}",
  "update-env-var": "PUT /services/{serviceId}/env-vars/{envVarKey}",
  "delete-env-var": "DELETE /services/{serviceId}/env-vars/{envVarKey}",
  "list-secret-files-for-service": "GET /services/{serviceId}/secret-files",
  "add-or-update-secret-file": "PUT /services/{serviceId}/secret-files/{envVarKey}",
  "delete-secret-file": "DELETE /services/{serviceId}/secret-files/{envVarKey}",

  "list-deploys": "GET /services/{serviceId}/deploys",
  "create-deploy": "POST /services/{serviceId}/deploys",
  "retrieve-deploy": "GET /services/{serviceId}/deploys/{deployId}",
  "cancel-deploy": "POST /services/{serviceId}/deploys/{deployId}/cancel",
  "rollback-deploy": "POST /services/{serviceId}/rollback",
  "list-events": "GET /services/{serviceId}/events",
  "list-logs": "GET /logs",

  "list-postgres": "GET /postgres",
  "create-postgres": "POST /postgres",
  "retrieve-postgres": "GET /postgres/{postgresId}",
  "update-postgres": "PATCH /postgres/{postgresId}",
  "retrieve-postgres-connection-info": "GET /postgres/{postgresId}/connection-info",
  "list-key-value": "GET /key-value",
  "create-key-value": "POST /key-value",
  "retrieve-key-value": "GET /key-value/{redisId}",
  "update-key-value": "PATCH /key-value/{redisId}",
  "retrieve-key-value-connection-info": "GET /key-value/{redisId}/connection-info",

  "list-env-groups": "GET /env-groups",
  "create-env-group": "POST /env-groups",
  "retrieve-env-group": "GET /env-groups/{envGroupId}",
  "update-env-group": "PATCH /env-groups/{envGroupId}",
  "delete-env-group": "DELETE /env-groups/{envGroupId}",
  "update-env-group-env-var": "PUT /env-groups/{envGroupId}/env-vars/{envVarKey}",
  "delete-env-group-env-var": "DELETE /env-groups/{envGroupId}/env-vars/{envVarKey}",
  "update-env-group-secret-file": "PUT /env-groups/{envGroupId}/secret-files/{envVarKey}",
  "delete-env-group-secret-file": "DELETE /env-groups/{envGroupId}/secret-files/{envVarKey}",
  "link-service-to-env-group": "POST /env-groups/{envGroupId}/services/{serviceId}",
  "unlink-service-from-env-group": "DELETE /env-groups/{envGroupId}/services/{serviceId}",

  "list-disks": "GET /disks",
  "add-disk": "POST /disks",
  "update-disk": "PATCH /disks/{diskId}",
  "list-projects": "GET /projects",
  "create-project": "POST /projects",
  "list-environments": "GET /environments",
  "create-environment": "POST /environments",
  "update-environment": "PATCH /environments/{environmentId}",
  "add-resources-to-environment": "POST /environments/{environmentId}/resources",
  "list-registry-credentials": "GET /registrycredentials",
} as const;

export type OperationName = keyof typeof operations;

type NamesIn<T extends string> = T extends `${string}{${infer Name}}${infer Rest}` ? Name | NamesIn<Rest> : never;

/** The names between braces in the path of an operation. */
export type PathNames<N extends OperationName> = NamesIn<(typeof operations)[N]>;

/** The method, and the path with its names filled in. Each value is one segment, whatever is in it. */
export function toTarget<N extends OperationName>(
  name: N,
  values: Record<PathNames<N>, string>,
): { method: string; path: string } {
  const [method = "", template = ""] = operations[name].split(" ");
  const path = template.replace(/\{(\w+)\}/g, (_all, key: PathNames<N>) => encodeSegment(values[key]));
  return { method, path };
}

/** A segment of dots alone would be resolved away, and the call would be another one. */
function encodeSegment(value: string): string {
  if (/^\.{0,2}$/.test(value)) throw new RangeError("a path cannot hold a segment that is empty, . or ..");
  return encodeURIComponent(value);
}
