import { createServer, type Server } from "node:http";
import { portBusy } from "./ports.ts";
import { answerRequest, loadSite, type Site } from "./static-site.ts";

export type DashboardServer = {
  url: string;
  /** The services that the page may talk to; those that are off are absent. */
  setServices(services: Record<string, string>): void;
  /** Shows another build from now on. */
  show(folder: string): Promise<void>;
  stop(): Promise<void>;
};

/** Serves the dashboard as a static host would, with the headers that it has in production. */
export async function startDashboard(folder: string, port: number): Promise<DashboardServer> {
  let site: Site = await loadSite(folder);
  let services: Record<string, string> = {};
  const server = createServer({ maxHeaderSize: 16_384, requestTimeout: 30_000 }, (request, response) => {
    const about = { config: { fleet: "local", services }, headers: securityHeaders(Object.values(services)) };
    answerRequest(site, about, request, response);
  });
  await listen(server, port);
  return {
    url: `http://127.0.0.1:${port}`,
    setServices: (next) => {
      services = next;
    },
    async show(next) {
      site = await loadSite(next);
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", () => reject(portBusy({ port, usedBy: "the dashboard" })));
    server.listen(port, "127.0.0.1", () => resolve());
  });
}

/** Both names of this machine, over HTTP and WebSocket: the page may be opened under either. */
function connectSources(urls: string[]): string[] {
  return urls.flatMap((url) => {
    const { port } = new URL(url);
    return ["127.0.0.1", "localhost"].flatMap((host) => [`http://${host}:${port}`, `ws://${host}:${port}`]);
  });
}

function securityHeaders(urls: string[]): Record<string, string> {
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    `connect-src ${["'self'", ...connectSources(urls)].join(" ")}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
  ];
  return {
    "Content-Security-Policy": policy.join("; "),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
  };
}
