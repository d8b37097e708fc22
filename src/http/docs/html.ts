// The few things needed to make a page of HTML: escaping, a frame and a style. The pages load
// nothing from anywhere, so that they work in a workshop without internet and leak nothing to
// anybody.

/** Text for any place in HTML, attributes as well. */
export function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** Text with `code` and /paths marked up, escaped otherwise. */
export function prose(text: string): string {
  return escape(text).replace(/`([^`]+)`/g, "<code>$1</code>");
}

export const HTML_MEDIA_TYPE = "text/html; charset=utf-8";

/** The pages run no script and load nothing; a browser is told to hold them to it. */
export const CONTENT_SECURITY_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";

export function page(title: string, navigation: string, content: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<nav><p class="brand"><a href="/docs">Raft3D</a></p>${navigation}</nav>
<main>${content}</main>
</body>
</html>
`;
}

const STYLE = `
:root { color-scheme: light dark;
  --ink: #1c2024; --soft: #60646c; --line: #e0e1e6; --ground: #ffffff; --panel: #f7f8fa;
  --accent: #b4530a; --get: #1a7f4b; --post: #b4530a; --put: #7a5af0; --patch: #2563c9; --delete: #c7303f; }
@media (prefers-color-scheme: dark) { :root {
  --ink: #e6e8eb; --soft: #9aa0a8; --line: #2d3137; --ground: #131518; --panel: #1a1d21;
  --accent: #f59e52; --get: #4cc38a; --post: #f59e52; --put: #a996ff; --patch: #70a5ff; --delete: #ff7b86; } }
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body { margin: 0; display: grid; grid-template-columns: 17rem minmax(0, 1fr); background: var(--ground);
  color: var(--ink); font: 16px/1.55 system-ui, -apple-system, "Segoe UI", sans-serif; }
nav { position: sticky; top: 0; height: 100vh; overflow-y: auto; padding: 1.5rem;
  border-right: 1px solid var(--line); background: var(--panel); font-size: 0.875rem; }
nav .brand { margin: 0 0 1rem; font-size: 1.25rem; font-weight: 700; }
nav h2 { margin: 1.25rem 0 0.25rem; font-size: 0.75rem; letter-spacing: 0.06em;
  text-transform: uppercase; color: var(--soft); }
nav ul { list-style: none; margin: 0; padding: 0; }
nav li a { display: block; padding: 0.15rem 0; color: var(--ink); }
main { max-width: 60rem; padding: 2rem 2.5rem 6rem; }
a { color: var(--accent); text-decoration: none; }
a:hover { text-decoration: underline; }
h1 { margin: 0 0 0.5rem; font-size: 2rem; line-height: 1.2; }
main h2 { margin: 3rem 0 0.25rem; padding-bottom: 0.25rem; border-bottom: 1px solid var(--line); }
h4 { margin: 1.25rem 0 0.25rem; font-size: 0.875rem; color: var(--soft); }
code, pre { font: 0.875em/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
code { padding: 0.1em 0.3em; border-radius: 4px; background: var(--panel); }
pre { overflow-x: auto; margin: 0.5rem 0; padding: 0.75rem 1rem; border: 1px solid var(--line);
  border-radius: 8px; background: var(--panel); }
pre code { padding: 0; background: none; }
table { width: 100%; border-collapse: collapse; font-size: 0.9375rem; }
th, td { padding: 0.4rem 0.75rem 0.4rem 0; border-top: 1px solid var(--line); text-align: left;
  vertical-align: top; }
th { color: var(--soft); font-weight: 600; font-size: 0.8125rem; border-top: 0; }
td:first-child { white-space: nowrap; }
details { margin: 0.75rem 0; border: 1px solid var(--line); border-radius: 10px; }
details[open] { box-shadow: 0 1px 3px rgb(0 0 0 / 8%); }
details:target { border-color: var(--accent); }
summary { display: flex; flex-wrap: wrap; gap: 0.75rem; align-items: baseline; cursor: pointer;
  padding: 0.6rem 1rem; }
summary::-webkit-details-marker { display: none; }
summary .about { color: var(--soft); font-size: 0.9375rem; }
.body { padding: 0 1rem 1rem; }
.method { min-width: 4.2rem; font: 700 0.8125rem/1 ui-monospace, Menlo, Consolas, monospace; }
.get { color: var(--get); } .post { color: var(--post); } .put { color: var(--put); }
.patch { color: var(--patch); } .delete { color: var(--delete); }
.soft { color: var(--soft); }
.lead { font-size: 1.0625rem; color: var(--soft); }
@media (max-width: 52rem) { body { display: block; }
  nav { position: static; height: auto; border-right: 0; border-bottom: 1px solid var(--line); }
  main { padding: 1.5rem; } }
`;
