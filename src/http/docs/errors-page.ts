// The error codes for people: the page at /docs/errors, to which the `type` of every problem
// points, and docs/errors.md in the repository. Both are written from the table of problems.

import type { RetryClass } from "../problems.ts";
import { PROBLEM_CODES, PROBLEMS } from "../problems.ts";
import { escape, page, prose } from "./html.ts";

const RETRY: Readonly<Record<RetryClass, string>> = {
  no: "No: the same request is refused again.",
  safe: "Yes: nothing was done.",
  "outcome-unknown": "Only under the same Idempotency-Key: it may have been done.",
};

const INTRODUCTION =
  "Errors are answered as `application/problem+json` (RFC 9457): `type`, `title`, `status`, `detail`, and `code`, which is stable and meant for programs. Some codes carry further members, named below.";

export function errorsPage(): string {
  const navigation = PROBLEM_CODES.map((code) => `<li><a href="#${code}">${code}</a></li>`).join(
    "",
  );
  const sections = PROBLEM_CODES.map((code) => {
    const { help, retry, status, title } = PROBLEMS[code];
    return `<details id="${code}" open><summary><code>${status}</code><strong>${code}</strong><span class="about">${escape(title)}</span></summary><div class="body"><p>${prose(help)}</p><p class="soft">Try again? ${escape(RETRY[retry])}</p></div></details>`;
  });
  const content = `<h1>Error codes</h1><p class="lead">${prose(INTRODUCTION)}</p>${sections.join("")}`;
  return page("Raft3D error codes", `<h2>Error codes</h2><ul>${navigation}</ul>`, content);
}

/** docs/errors.md */
export function errorsMarkdown(): string {
  const sections = PROBLEM_CODES.map((code) => {
    const { help, retry, status, title } = PROBLEMS[code];
    return `## ${code}\n\n**${status}** ${title}. ${help}\n\nTry again? ${RETRY[retry]}\n`;
  });
  const origin = "Written from `src/http/problems.ts`; a test holds the two together.";
  return `# Error codes\n\n${INTRODUCTION}\n\n${origin}\n\n${sections.join("\n")}`;
}
