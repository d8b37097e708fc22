// The documentation that every node serves about itself.

import { Type } from "typebox";

import { askQuery } from "../ask.ts";
import { apiPage } from "../docs/api-page.ts";
import { errorsPage } from "../docs/errors-page.ts";
import { CONTENT_SECURITY_POLICY, HTML_MEDIA_TYPE } from "../docs/html.ts";
import { openApi } from "../docs/openapi.ts";
import type { Exchange } from "../exchange.ts";
import { JSON_MEDIA_TYPE } from "../exchange.ts";
import type { Route } from "../route.ts";
import { ANY_PROBLEMS } from "../route.ts";

function sendPage(exchange: Exchange, html: string): void {
  exchange.header("Content-Security-Policy", CONTENT_SECURITY_POLICY);
  exchange.header("X-Content-Type-Options", "nosniff");
  exchange.send(200, HTML_MEDIA_TYPE, html);
}

const html = (description: string) => ({ description, content: { "text/html": Type.String() } });

/** Makes a thing the first time it is asked for, and keeps it. */
function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | null = null;
  return () => (made ??= { value: make() }).value;
}

/**
 * The routes that document `others`, and themselves. Rendered once, when asked for: routes do not
 * change.
 */
export function docsRoutes(others: readonly Route[]): readonly Route[] {
  const routes: Route[] = [];
  const document = once(() => openApi([...others, ...routes]));
  const json = once(() => JSON.stringify(document()));
  const page = (id: string, path: string, summary: string, render: () => string): Route => ({
    method: "GET",
    path,
    operation: {
      id,
      tag: "Documentation",
      summary,
      answers: { 200: html("The page.") },
      problems: ANY_PROBLEMS,
    },
    handle: (exchange) => {
      if (askQuery(exchange, {}) !== null) sendPage(exchange, render());
    },
  });
  routes.push(
    {
      method: "GET",
      path: "/api/v1/openapi.json",
      operation: {
        id: "getOpenApi",
        tag: "Documentation",
        summary: "The OpenAPI 3.1 document",
        answers: {
          200: {
            description: "The document.",
            content: { [JSON_MEDIA_TYPE]: Type.Object({}, { description: "OpenAPI 3.1." }) },
          },
        },
        problems: ANY_PROBLEMS,
      },
      handle: (exchange) => {
        if (askQuery(exchange, {}) !== null) exchange.send(200, JSON_MEDIA_TYPE, json());
      },
    },
    page(
      "getDocs",
      "/docs",
      "This page",
      once(() => apiPage(document())),
    ),
    page("getErrorDocs", "/docs/errors", "The error codes", once(errorsPage)),
    {
      method: "GET",
      path: "/",
      operation: {
        id: "getRoot",
        tag: "Documentation",
        summary: "Where to begin",
        answers: { 302: { description: "At the documentation.", headers: ["Location"] } },
        problems: ANY_PROBLEMS,
      },
      handle: (exchange) => {
        if (askQuery(exchange, {}) !== null) exchange.header("Location", "/docs").sendEmpty(302);
      },
    },
  );
  return routes;
}
