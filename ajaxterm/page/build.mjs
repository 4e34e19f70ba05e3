/**
 * Builds the page into built/: flat files with a hash of their content in
 * their names, which a browser may keep for ever, and index.html, which names
 * them; each beside what it is when compressed, *.br and *.gz. The server has them at assets/NAME; every URL is relative.
 */

import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";

import { build } from "esbuild";

import { strings } from "./src/strings.js";

const here = dirname(fileURLToPath(import.meta.url));
const built = join(here, "built");

await rm(built, { recursive: true, force: true });

const { metafile } = await build({
  absWorkingDir: here,
  entryPoints: [
    { in: "src/page.js", out: "page" },
    { in: "src/style.css", out: "page" },
    { in: "src/icon.svg", out: "icon" },
  ],
  loader: { ".svg": "copy" },
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  charset: "utf8",
  legalComments: "eof",
  outdir: "built",
  entryNames: "[name]-[hash]",
  metafile: true,
});

/** @param {string} extension of the one file that the page needs of that kind */
function asset(extension) {
  const [name, ...others] = Object.keys(metafile.outputs).filter((path) => path.endsWith(extension));
  if (!name || others.length > 0) throw new Error(`one *${extension} was to be built`);
  return `assets/${basename(name)}`;
}

const values = {
  language: strings.language,
  title: strings.documentTitle(""),
  bar: strings.barLabel,
  noScript: strings.noScript,
  icon: asset(".svg"),
  style: asset(".css"),
  script: asset(".js"),
};
const html = await readFile(join(here, "src/index.html"), "utf8");
await writeFile(
  join(built, "index.html"),
  html.replace(/\{\{(\w+)\}\}/g, (_whole, name) => {
    if (!(name in values)) throw new Error(`index.html asks for ${name}`);
    return values[name].replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/"/g, "&quot;");
  }),
);

for (const name of await readdir(built)) {
  const content = await readFile(join(built, name));
  await writeFile(join(built, `${name}.br`), brotliCompressSync(content));
  await writeFile(join(built, `${name}.gz`), gzipSync(content, { level: 9 }));
}
