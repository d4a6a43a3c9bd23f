/**
 * Bundles the page into `public/`, or into the folder named: `bun build.ts [folder]`.
 *
 * Files are named by what is in them, so that one that is kept is never out of date. The service worker is bundled
 * last, because it is told which files there are.
 */

import { rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const outdir = process.argv[2] ?? join(here, "public");

await rm(outdir, { recursive: true, force: true });

const page = await Bun.build({
  entrypoints: [join(here, "src/index.html")],
  outdir,
  publicPath: "/",
  splitting: true,
  minify: true,
  // The build of Loro that fetches its WebAssembly while the page goes on; the other one blocks it.
  conditions: ["development"],
  define: { "process.env.NODE_ENV": '"production"' },
});

const files = page.outputs.map(({ path }) => `/${basename(path)}`).toSorted();

await Bun.build({
  entrypoints: [join(here, "worker/worker.ts")],
  outdir,
  format: "iife",
  minify: true,
  define: {
    KEPT: JSON.stringify(["/", ...files.filter((path) => path !== "/index.html")]),
    VERSION: JSON.stringify(Bun.hash(files.join()).toString(36)),
  },
});
