// The documents agree with the code and with each other. Whatever a page promises to list in full is
// compared here with what there is, so that neither can change alone.

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { COMMANDS, commandRow, isCommand } from "../src/cli/options/commands.ts";
import { EXIT_CODES } from "../src/node/fatal.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** What .gitignore leaves out, for where git cannot be asked. */
const IGNORED = /^(?:\.git|node_modules|dist|coverage|raft3d-data)$|\.(?:log|tgz)$/;
const LINES_MAX = 600;

/** Every file that belongs to the project: tracked, or new and not ignored. Relative to the root. */
function projectFiles(): readonly string[] {
  let listed: string;
  try {
    const args = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    listed = execFileSync("git", args, { cwd: ROOT, encoding: "utf8", stdio: "pipe" });
  } catch {
    return walk(""); // no git, or no repository: an unpacked archive
  }
  // A file that was removed and not committed yet is still listed.
  return listed.split("\0").filter((file) => file !== "" && existsSync(join(ROOT, file)));
}

function walk(folder: string): string[] {
  return readdirSync(join(ROOT, folder)).flatMap((name) => {
    if (IGNORED.test(name)) return [];
    const path = folder === "" ? name : `${folder}/${name}`;
    return statSync(join(ROOT, path)).isDirectory() ? walk(path) : [path];
  });
}

const FILES = projectFiles();
const PAGES = FILES.filter((file) => file.endsWith(".md"));
const SOURCES = FILES.filter((file) =>
  /^(?:src|core|judge|tools|test)\/.*\.(?:ts|go|mjs)$/.test(file),
);
const TEXTS = FILES.filter((file) => /\.(?:ts|go|mjs|md|json|txt|mod|sum)$|^\.[^/]+$/.test(file));

function read(file: string): string {
  return readFileSync(join(ROOT, file), "utf8");
}

/** Lines that match, as `file:line: text`: a failure shows where to go. */
function linesWith(files: readonly string[], pattern: RegExp): readonly string[] {
  return files.flatMap((file) =>
    read(file)
      .split("\n")
      .flatMap((line, at) => (pattern.test(line) ? [`${file}:${at + 1}: ${line.trim()}`] : [])),
  );
}

/** What stands in backquotes in the first cells of the tables below a heading, as far as the next. */
function firstCells(page: string, heading: string): readonly string[] {
  const [, after = ""] = page.split(`\n## ${heading}\n`);
  const [section = ""] = after.split("\n## ");
  return section.split("\n").flatMap((line) => /^\| `([^`]+)`/.exec(line)?.[1] ?? []);
}

function sorted(texts: Iterable<string>): readonly string[] {
  return [...new Set(texts)].toSorted();
}

/** A page without what is shown in it word by word. */
function prose(page: string): string {
  return page.replace(/^ *```[\s\S]*?^ *```/gm, "").replace(/`[^`\n]*`/g, "code");
}

function headings(page: string): readonly string[] {
  const text = page.replace(/^ *```[\s\S]*?^ *```/gm, "");
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, title = ""]) => title);
}

/** A heading's anchor, as forges make it. */
function anchor(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{Letter}\p{Number}\- ]/gu, "")
    .replaceAll(" ", "-");
}

/** Why a link of this page leads nowhere; null if it leads somewhere. */
function brokenLink(page: string, target: string): string | null {
  if (/^(?:https?|mailto):/.test(target)) return null;
  const [path = "", fragment] = target.split("#");
  const file = path === "" ? page : join(dirname(page), decodeURIComponent(path));
  if (!existsSync(join(ROOT, file))) return `${page}: ${target}: there is no ${file}`;
  if (fragment === undefined || !file.endsWith(".md")) return null;
  const isThere = headings(read(file)).some((heading) => anchor(heading) === fragment);
  return isThere ? null : `${page}: ${target}: ${file} has no such heading`;
}

test("the files of the project are found", () => {
  expect(FILES).toEqual(expect.arrayContaining(["package.json", "core/go.mod", "README.md"]));
  expect(SOURCES.length).toBeGreaterThan(200);
  expect(FILES.filter((file) => file.includes("node_modules/"))).toEqual([]);
});

describe("pages", () => {
  test("every relative link leads to a file, and to a heading in it", () => {
    const broken = PAGES.flatMap((page) =>
      [...prose(read(page)).matchAll(/\]\(([^)\s]+)\)/g)].flatMap(
        ([, target = ""]) => brokenLink(page, target) ?? [],
      ),
    );
    expect(broken).toEqual([]);
  });

  test("ARCHITECTURE.md has a line for every folder with sources, and for no other", () => {
    const listed = firstCells(read("ARCHITECTURE.md"), "The folders");
    const folders = FILES.filter((file) => /^(?:src|core|judge|tools|test)\//.test(file))
      .map(dirname)
      .filter((folder) => folder !== "src");
    expect(sorted(listed)).toEqual(sorted(folders.map((folder) => `${folder}/`)));
  });

  test("docs/dependencies.md has a line for every dependency and override, and for no other", () => {
    const page = read("docs/dependencies.md");
    const manifest = JSON.parse(read("package.json")) as Record<string, Record<string, string>>;
    const names = (field: string): readonly string[] => sorted(Object.keys(manifest[field] ?? {}));
    // What runs is compiled in: whoever installs the package installs nothing else.
    expect(names("dependencies")).toEqual([]);
    const listed = ["To run", "To develop"].flatMap((heading) => firstCells(page, heading));
    expect(sorted(listed)).toEqual(names("devDependencies"));
    expect(sorted(firstCells(page, "Overridden"))).toEqual(names("overrides"));
    for (const [folder, heading] of [
      ["core", "The core"],
      ["judge", "The judge"],
    ]) {
      const file = read(`${folder}/go.mod`);
      const modules = [...file.matchAll(/^(?:require )?\s*(\S+\.\S+\/\S+) v\d/gm)];
      expect(sorted(firstCells(page, `${heading}`))).toEqual(
        sorted(modules.map(([, name = ""]) => name)),
      );
    }
  });

  test("the index of decisions lists every decision with its title, numbered without a gap", () => {
    const files = FILES.filter((file) => /^docs\/decisions\/\d/.test(file)).toSorted();
    const index = read("docs/decisions/README.md");
    const lines = [...index.matchAll(/^\| \[(\d{4})\]\((\S+)\)\s*\| (.+?)\s*\|$/gm)].map(
      ([, number, file, title]) => ({ number, file: `docs/decisions/${file}`, title }),
    );
    const decisions = files.map((file, at) => {
      const number = String(at + 1).padStart(4, "0");
      return { number, file, title: headings(read(file))[0]?.replace(`${number}: `, "") };
    });
    expect(lines).toEqual(decisions);
  });

  test("README.md has every command in its table, and no other", () => {
    const rows = firstCellCommands(read("README.md"));
    const commands = Object.keys(COMMANDS)
      .filter(isCommand)
      .filter((name) => commandRow(name).hidden !== true);
    expect(sorted(rows)).toEqual(sorted(commands));
  });
});

/** `raft3d jobs list\|get` stands for two commands. */
function firstCellCommands(page: string): readonly string[] {
  const [, after = ""] = page.split("\n## Commands\n");
  const [section = ""] = after.split("\n## ");
  const cells = section
    .split("\n")
    .flatMap((line) => /^\| (`raft3d .*?) \| /.exec(line.replaceAll("\\|", "/"))?.[1] ?? []);
  return cells.flatMap((cell) =>
    [...cell.matchAll(/`raft3d ([^`]+)`/g)].flatMap(([, text = ""]) => {
      const [first = "", actions] = text.split(" ");
      return actions === undefined ? [first] : actions.split("/").map((one) => `${first} ${one}`);
    }),
  );
}

describe("docs/operations.md", () => {
  const page = read("docs/operations.md");

  test("has every section that a message of the program names", () => {
    // A message may be spread over several strings in the source.
    const sources = SOURCES.filter((file) => file.startsWith("src/") && !file.includes(".test."));
    const joined = sources.map((file) => read(file).replace(/(['"`])\s*\+\s*\1/g, "")).join("\n");
    const named = [...joined.matchAll(/docs\/operations\.md, "([^"\n]+)"/g)];
    const mentions = joined.match(/docs\/operations\.md, ["\\]/g) ?? [];
    expect(named.length).toBe(mentions.length);
    expect(named.length).toBeGreaterThan(3);
    const titles = sorted(named.map(([, title = ""]) => title));
    expect(headings(page)).toEqual(expect.arrayContaining([...titles]));
  });

  test("has every exit code of a node with its reason, and no other", () => {
    const rows = [...page.matchAll(/^\| (\d+)\s*\| `([a-z-]+)`/gm)];
    const listed = Object.fromEntries(rows.map(([, code, reason]) => [reason, Number(code)]));
    expect(listed).toEqual(EXIT_CODES);
  });

  test("has every metric, and no other", () => {
    const source = read("src/http/metrics.ts") + read("src/http/durations.ts");
    const metrics = [...source.matchAll(/\b(raft3d_[a-z_]+)(?=: |"[,;])/g)].map(
      ([, name = ""]) => name,
    );
    const [, after = ""] = page.split("\n## Monitoring\n");
    const [table = ""] = after.split("```yaml");
    const listed = [...table.matchAll(/`(raft3d_[a-z_]+)`/g)].map(([, name = ""]) => name);
    expect(metrics.length).toBeGreaterThan(20);
    expect(sorted(listed)).toEqual(sorted(metrics));
  });
});

describe("sources", () => {
  test("are free of marks for later: what is to be done stands where it is seen", () => {
    // In two pieces, so that this line is not its own finding.
    const marks = ["TO" + "DO", "FIX" + "ME", "X" + "XX"];
    expect(linesWith(SOURCES, new RegExp(`\\b(?:${marks.join("|")})\\b`))).toEqual([]);
  });

  test(`have ${LINES_MAX} lines at most`, () => {
    const long = SOURCES.map((file) => ({ file, lines: read(file).split("\n").length - 1 }));
    expect(long.filter(({ lines }) => lines > LINES_MAX)).toEqual([]);
  });
});

describe("what is true on one machine only stands nowhere", () => {
  test("the lock file holds no addresses", () => {
    expect(linesWith(["package-lock.json"], /"resolved":/)).toEqual([]);
  });

  test("no text names a registry's host", () => {
    const hosts = [
      "registry.np" + "mjs",
      "registry.yar" + "npkg",
      "proxy.gol" + "ang",
      "sum.gol" + "ang",
    ];
    const pattern = new RegExp(hosts.map((host) => host.replaceAll(".", "\\.")).join("|"), "i");
    expect(linesWith(TEXTS, pattern)).toEqual([]);
  });

  test("no text names a folder of somebody's machine", () => {
    // A path begins behind a space, a quote or a bracket: in the middle of an address it is no path.
    const pattern = /(?:^|[\s"'`(=])\/(?:root|home|Users|work|mnt|workspace)\/[\w.-]/;
    expect(linesWith(TEXTS, pattern)).toEqual([]);
  });
});
