/** Bundles the page into `public/`, or into the folder named: `bun build.ts [folder]`. */

import { rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const outdir = process.argv[2] ?? join(here, "public");

await rm(outdir, { recursive: true, force: true });
await Bun.build({
  entrypoints: [join(here, "src/index.html")],
  outdir,
  publicPath: "/",
  minify: true,
  define: { "process.env.NODE_ENV": '"production"' },
});
