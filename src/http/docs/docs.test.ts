// The documentation says what the server does: the OpenAPI document and docs/errors.md in the
// repository are the ones that the server makes, and everything that can be answered stands in
// them.

import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { describe, expect, it } from "vitest";

import { PROBLEM_CODES, PROBLEMS } from "../problems.ts";
import { allRoutes } from "../routes.ts";
import { Harness } from "../testing/harness.ts";
import { errorsMarkdown } from "./errors-page.ts";
import { escape } from "./html.ts";
import type { OpenApi } from "./openapi.ts";
import { openApi } from "./openapi.ts";

const repository = fileURLToPath(new URL("../../..", import.meta.url));

/** The file must hold this text; UPDATE_GOLDEN=1 writes it. */
function expectFile(path: string, text: string): void {
  const file = `${repository}${path}`;
  if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(file, text);
  expect(readFileSync(file, "utf8"), `${path}: only update it if you know what changed`).toBe(text);
}

const routes = allRoutes();
const document = openApi(routes);
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
);

describe("the OpenAPI document", () => {
  it("is the one in docs/openapi.json, and the one that the server serves", async () => {
    expectFile("docs/openapi.json", `${JSON.stringify(document, null, 2)}\n`);
    const served = await new Harness().get("/api/v1/openapi.json");
    expect(served.json).toEqual(JSON.parse(JSON.stringify(document)));
  });

  it("has an operation for each route, and no other", () => {
    const documented = operations.map(({ method, path }) => `${method.toUpperCase()} ${path}`);
    const served = routes.map(({ method, path }) => `${method} ${path.replace(":id", "{id}")}`);
    expect(documented.toSorted()).toEqual(served.toSorted());
  });

  it("has a name of its own for each operation, and gives it to a section that exists", () => {
    const ids = operations.map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    const tags = document.tags.map((tag) => tag.name);
    for (const { operation } of operations) expect(tags).toContain(operation.tags[0]);
  });

  it("answers with nothing but codes of the table under their statuses, and all of them somewhere", () => {
    const seen = new Set<string>();
    for (const { operation } of operations) {
      for (const [status, { content, description }] of Object.entries(operation.responses)) {
        if (content?.["application/problem+json"] === undefined) continue;
        for (const [, code = ""] of description.matchAll(/`(\w+)`/g)) {
          expect(PROBLEM_CODES).toContain(code);
          expect(PROBLEMS[code as keyof typeof PROBLEMS].status).toBe(Number(status));
          seen.add(code);
        }
      }
    }
    const general = [...document.info.description.matchAll(/`(\w+)` \(\d+\)/g)];
    for (const [, code = ""] of general) seen.add(code);
    expect([...seen].toSorted()).toEqual([...PROBLEM_CODES].toSorted());
  });

  it("names its components properly, and refers to none that does not exist", () => {
    const names = Object.keys(document.components.schemas);
    expect(names).toEqual(names.toSorted());
    for (const name of names) expect(name).toMatch(/^[A-Z][A-Za-z]+$/);
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)];
    expect(references.length).toBeGreaterThan(50);
    for (const [, reference = ""] of references) expect(resolve(document, reference)).toBeDefined();
  });

  it("keeps what only messages need to itself", () => {
    const text = JSON.stringify(document);
    expect(text).not.toContain("mustBe");
    expect(text).not.toContain("~");
  });

  it("describes each query parameter, header and field", () => {
    for (const { operation } of operations) {
      for (const { description, name } of operation.parameters) {
        expect(description, `${operation.operationId} ${name}`).toMatch(/\.$/);
      }
    }
    for (const [name, schema] of Object.entries(document.components.schemas)) {
      expect(schema["description"], name).toMatch(/\.$/);
    }
  });
});

function resolve(root: OpenApi, reference: string): unknown {
  let at: unknown = root;
  for (const part of reference.replace("#/", "").split("/")) {
    at = (at as Readonly<Record<string, unknown>>)[part];
  }
  return at;
}

describe("docs/errors.md", () => {
  it("is written from the table of problems", () => {
    expectFile("docs/errors.md", errorsMarkdown());
  });

  it("lists the codes that exist, and no other", () => {
    const text = readFileSync(`${repository}docs/errors.md`, "utf8");
    const listed = [...text.matchAll(/^## (\w+)$/gm)].map(([, code]) => code);
    expect(listed).toEqual(PROBLEM_CODES);
  });
});

describe("the table of problems", () => {
  it("says what to do in whole sentences, and promises a retry only where nothing was done", () => {
    for (const code of PROBLEM_CODES) {
      const { help, retry, status, title } = PROBLEMS[code];
      expect(help, code).toMatch(/^[A-Z`].+\.$/);
      expect(title, code).toMatch(/^[A-Z].+[^.]$/);
      if (retry === "safe") expect([408, 429, 503], code).toContain(status);
      if (retry === "outcome-unknown") expect([500, 504], code).toContain(status);
      if (retry === "no") expect(status, code).toBeLessThan(500);
    }
  });
});

describe("the pages", () => {
  it("show what would be markup as the text that it is, in attributes as well", () => {
    expect(escape(`<a title="x" class='y'>&amp;`)).toBe(
      "&#60;a title=&#34;x&#34; class=&#39;y&#39;&#62;&#38;amp;",
    );
  });

  it("at /docs names every operation and schema, and loads nothing from anywhere", async () => {
    const { headers, text } = await new Harness().get("/docs");
    expect(headers["content-type"]).toBe("text/html; charset=utf-8");
    expect(headers["content-security-policy"]).toContain("default-src 'none'");
    for (const { operation, path } of operations) {
      expect(text).toContain(`id="${operation.operationId}"`);
      expect(text).toContain(`<code>${path}</code>`);
    }
    for (const name of Object.keys(document.components.schemas)) {
      expect(text).toContain(`id="schema-${name}"`);
    }
    expectSelfContained(text);
  });

  it("at /docs/errors has the place that the type of each problem points to", async () => {
    const { text } = await new Harness().get("/docs/errors");
    for (const code of PROBLEM_CODES) expect(text).toContain(`id="${code}"`);
    expectSelfContained(text);
  });
});

function expectSelfContained(html: string): void {
  expect(html).not.toMatch(/<script|<link|<img|\bsrc=|@import|url\(/);
  const ids = new Set([...html.matchAll(/\bid="([^"]+)"/g)].map(([, id]) => id));
  const links = [...html.matchAll(/href="([^"]+)"/g)].map(([, href]) => href ?? "");
  const paths = new Set(routes.map((route) => route.path));
  for (const href of links) {
    if (href.startsWith("#")) expect(ids).toContain(href.slice(1));
    else expect(paths).toContain(href);
  }
  // Every tag that is opened is closed, in order.
  const open: string[] = [];
  for (const [, slash, name = ""] of html.matchAll(/<(\/?)([a-z][a-z0-9]*)[^>]*>/g)) {
    if (["meta", "br"].includes(name)) continue;
    if (slash === "/") expect(open.pop()).toBe(name);
    else open.push(name);
  }
  expect(open).toEqual([]);
}
