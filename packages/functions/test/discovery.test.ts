import { afterAll, beforeAll, expect, spyOn, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { entriesOf, loadFunctions } from "../src/discovery";
import type { FileProblem } from "../src/protocol";

const app = mkdtempSync(join(tmpdir(), "pylon-discovery-"));
afterAll(() => rmSync(app, { recursive: true }));
const stderr = spyOn(console, "error").mockImplementation(() => {});
afterAll(() => stderr.mockRestore());

const FUNCTION = 'export default { type: "query", handler: () => 1 };\n';
const WORKFLOW = 'export default { type: "workflow", name: "good", handler: () => 1 };\n';

/** What a file is, and what is told of it. */
const BROKEN: readonly (readonly [file: string, text: string, problem: FileProblem])[] = [
  ["half.ts", "\nexport default { a: ;\n", { file: "half.ts", line: 2, message: "SyntaxError: Unexpected ;" }],
  [
    "package.ts",
    '// stripe\nimport stripe from "stripe";\nexport default stripe;\n',
    { file: "package.ts", line: 2, message: "Cannot find package 'stripe' imported from functions/package.ts" },
  ],
  [
    "module.ts",
    '\n\nimport x from "../gone";\nexport default x;\n',
    { file: "module.ts", line: 3, message: "Cannot find module '../gone' imported from functions/module.ts" },
  ],
  [
    "nowhere.ts",
    '\nimport { nowhere } from "./lib/helper";\nexport default nowhere;\n',
    {
      file: "nowhere.ts",
      line: 2,
      message: "SyntaxError: Export named 'nowhere' not found in module 'functions/lib/helper.ts'.",
    },
  ],
  [
    "throws.ts",
    '\nfunction key(): string {\n  throw new Error("no key");\n}\nexport default key();\n',
    { file: "throws.ts", line: 3, message: "Error: no key" },
  ],
  ["speechless.ts", "throw new TypeError();\n", { file: "speechless.ts", line: 1, message: "TypeError" }],
  ["parses.ts", 'export default JSON.parse("{");\n', { file: "parses.ts", line: 1, message: "SyntaxError: JSON Parse error: Expected '}'" }],
  ["text.ts", 'throw "text";\n', { file: "text.ts", line: null, message: 'It threw "text"' }],
  ["below.ts", 'import "./lib/half";\n', { file: "lib/half.ts", line: 1, message: "SyntaxError: Unexpected ;" }],
  ["beside.ts", 'import "../beside";\n', { file: "beside.ts", line: null, message: "Error: beside (beside.ts:2)" }],
  ["zz.ts", WORKFLOW, { file: "zz.ts", line: null, message: 'There is a function "good" already; left out.' }],
];

beforeAll(() => {
  const files = {
    "functions/good.ts": FUNCTION,
    "functions/helper.ts": "export const x = 1;\n",
    "functions/lib/helper.ts": "export const x = 1;\n",
    "functions/lib/half.ts": "let x = ;;\n",
    "beside.ts": '\nthrow new Error("beside");\n',
    ...Object.fromEntries(BROKEN.map(([file, text]) => [`functions/${file}`, text])),
  };
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(app, path)), { recursive: true });
    writeFileSync(join(app, path), text);
  }
});

test("a file that does not load is told of with its place, and the others are functions", async () => {
  const { registry, problems } = await loadFunctions(join(app, "functions"));

  expect(entriesOf(registry).map(({ name }) => name)).toEqual(["good"]);
  const expected = BROKEN.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, , problem]) => problem);
  expect(problems).toEqual(expected);
  expect(stderr).toHaveBeenCalledTimes(BROKEN.length);
});

test("a folder that cannot be read is an error", async () => {
  await expect(loadFunctions(join(app, "nowhere"))).rejects.toThrow("ENOENT");
});
