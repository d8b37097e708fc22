// All routes of the server, and the answer for a path under a method that it does not know.

import type { Method, Route } from "./route.ts";
import { clusterRoutes } from "./routes/cluster.ts";
import { docsRoutes } from "./routes/docs.ts";
import { eventRoutes } from "./routes/events.ts";
import { filamentRoutes } from "./routes/filaments.ts";
import { healthRoutes } from "./routes/health.ts";
import { jobRoutes } from "./routes/jobs.ts";
import { printerRoutes } from "./routes/printers.ts";

export function allRoutes(): readonly Route[] {
  const routes = [
    ...printerRoutes,
    ...filamentRoutes,
    ...jobRoutes,
    ...eventRoutes,
    ...clusterRoutes,
    ...healthRoutes,
  ];
  return [...routes, ...docsRoutes(routes)];
}

/**
 * The methods that apply to a path, HEAD among them where GET is; none if there is no such path.
 */
export function allowedMethods(routes: readonly Route[], url: string): readonly string[] {
  const segments = segmentsOf(url.split("?", 1)[0] ?? "");
  const methods: (Method | "HEAD")[] = [];
  for (const { method, path } of routes) {
    if (!matches(segmentsOf(path), segments)) continue;
    methods.push(...(method === "GET" ? (["GET", "HEAD"] as const) : [method]));
  }
  return methods;
}

// Fastify knows routes by method and path together and does not tell which of the two was wrong.
// Some twenty patterns are compared one by one, on the way to an error only.

function segmentsOf(path: string): readonly string[] {
  return path.replace(/\/$/, "").split("/");
}

function matches(pattern: readonly string[], segments: readonly string[]): boolean {
  return (
    pattern.length === segments.length &&
    pattern.every((part, at) =>
      part.startsWith(":") ? segments[at] !== "" : part === segments[at],
    )
  );
}
