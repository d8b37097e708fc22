// The page at /docs: the OpenAPI document for people.

import type { Content, OpenApi, OperationObject, SchemaObject } from "./openapi.ts";
import { escape, page, prose } from "./html.ts";

export function apiPage(document: OpenApi): string {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
  const sections = document.tags.map(({ name, description }) => ({
    name,
    description,
    operations: operations.filter(({ operation }) => operation.tags.includes(name)),
  }));
  const navigation = sections
    .map(({ name, operations: listed }) => {
      const items = listed.map(
        ({ operation }) =>
          `<li><a href="#${operation.operationId}">${escape(operation.summary)}</a></li>`,
      );
      return `<h2>${escape(name)}</h2><ul>${items.join("")}</ul>`;
    })
    .join("");
  const schemas = Object.entries(document.components.schemas)
    .map(([name, schema]) => schemaSection(name, schema))
    .join("");
  const content = [
    `<h1>${escape(document.info.title)}</h1>`,
    `<p class="lead">${prose(document.info.description)}</p>`,
    `<p>${links([
      ["/docs/errors", "Error codes"],
      ["/api/v1/openapi.json", "OpenAPI document"],
    ])}</p>`,
    TRY_IT,
    ...sections.map(
      ({ name, description, operations: listed }) =>
        `<h2>${escape(name)}</h2><p class="soft">${escape(description)}</p>${listed.map(operationSection).join("")}`,
    ),
    `<h2 id="schemas">Schemas</h2>${schemas}`,
  ];
  return page(
    "Raft3D HTTP API",
    `${navigation}<h2><a href="#schemas">Schemas</a></h2>`,
    content.join(""),
  );
}

const TRY_IT = `<pre><code>curl -X POST http://127.0.0.1:8001/api/v1/printers \\
     -H 'Content-Type: application/json' \\
     -d '{"company": "Prusa Research", "model": "MK4S"}'</code></pre>`;

function links(pairs: readonly (readonly [string, string])[]): string {
  return pairs.map(([href, text]) => `<a href="${href}">${escape(text)}</a>`).join(" · ");
}

interface Listed {
  readonly path: string;
  readonly method: string;
  readonly operation: OperationObject;
}

function operationSection({ path, method, operation }: Listed): string {
  const { description, operationId, parameters, requestBody, responses, summary } = operation;
  const inputs = parameters.map((parameter) => [
    `<code>${escape(parameter.name)}</code>`,
    parameter.in,
    prose(parameter.description),
  ]);
  const answers = Object.entries(responses).map(([status, response]) => [
    `<code>${status}</code>`,
    contentText(response.content),
    prose(response.description),
  ]);
  return [
    `<details id="${operationId}"><summary><span class="method ${method}">${method.toUpperCase()}</span>`,
    `<code>${escape(path)}</code><span class="about">${escape(summary)}</span></summary><div class="body">`,
    description === undefined ? "" : `<p>${prose(description)}</p>`,
    inputs.length === 0 ? "" : `<h4>Parameters</h4>${table(["Name", "In", ""], inputs)}`,
    requestBody === undefined
      ? ""
      : `<h4>Body${requestBody.required ? "" : " (may be left out)"}</h4><p>${contentText(requestBody.content)}</p>`,
    `<h4>Answers</h4>${table(["Status", "Body", ""], answers)}`,
    "</div></details>",
  ].join("");
}

function contentText(content: Content | undefined): string {
  if (content === undefined) return "";
  return Object.entries(content)
    .map(
      ([mediaType, { schema }]) =>
        `${typeText(schema)} <span class="soft">${escape(mediaType)}</span>`,
    )
    .join("<br>");
}

// The document is read back as plain JSON, as any other reader of it would: what the page shows is
// what the document says, and not what the routes meant.

function schemaSection(name: string, schema: SchemaObject): string {
  const { description, properties, required } = schema;
  const names = Array.isArray(required) ? required : [];
  const rows = Object.entries(isSchema(properties) ? properties : {}).map(([field, value]) => [
    `<code>${escape(field)}</code>`,
    `${isSchema(value) ? typeText(value) : ""}${names.includes(field) ? "" : ' <span class="soft">optional</span>'}`,
    isSchema(value) && typeof value["description"] === "string" ? prose(value["description"]) : "",
  ]);
  return [
    `<details id="schema-${escape(name)}" open><summary><code>${escape(name)}</code>`,
    `<span class="about">${typeof description === "string" ? escape(description) : ""}</span></summary>`,
    `<div class="body">${table(["Field", "Type", ""], rows)}</div></details>`,
  ].join("");
}

function isSchema(value: unknown): value is SchemaObject {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

/** A schema's type in a few words; the rules stand in its description. */
function typeText(schema: SchemaObject): string {
  const { $ref: ref, anyOf, enum: values, items, type } = schema;
  if (typeof ref === "string") {
    const name = ref.slice(ref.lastIndexOf("/") + 1);
    return `<a href="#schema-${escape(name)}">${escape(name)}</a>`;
  }
  if (Array.isArray(anyOf)) return anyOf.filter(isSchema).map(typeText).join(" or ");
  if (Array.isArray(values))
    return values.map((value) => `<code>${escape(String(value))}</code>`).join(" ");
  if (isSchema(items)) return `array of ${typeText(items)}`;
  return typeof type === "string" ? escape(type) : "";
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const header = head.map((text) => `<th>${text}</th>`).join("");
  const body = rows.map((cells) => `<tr>${cells.map((cell) => `<td>${cell}</td>`).join("")}</tr>`);
  return `<table><tr>${header}</tr>${body.join("")}</table>`;
}
