import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import vue from "@vitejs/plugin-vue";
import { type Plugin, build } from "vite";
import { defineConfig } from "vitest/config";

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** The pages for phones: `/report` of whoever reports, `/work` of responders. */
const PHONE_PAGES = ["report", "work"];

/** Files of a phone page that keep their names: they lie in `public/`. */
const phoneFixed = (name: string) => ["favicon.svg", "report-192.png", "report-512.png", `${name}.en.webmanifest`, `${name}.zh.webmanifest`];

/** What a browser must have read before it can show a page, compressed; phones have poor lines. */
const FIRST_LOAD_BYTES_MAX: Record<string, number> = { "index.html": 100_000, "report.html": 60_000, "work.html": 60_000 };

type Bundle = Parameters<Extract<Exclude<Plugin["generateBundle"], undefined>, { handler: unknown }>["handler"]>[1];

/** The files that a page loads first: its entry, what that imports, and their styles. */
function firstLoad(bundle: Bundle, page: string): Set<string> {
  const files = new Set<string>();
  const visit = (name: string) => {
    const chunk = bundle[name];
    if (files.has(name) || chunk === undefined) return;
    files.add(name);
    if (chunk.type !== "chunk") return;
    [...chunk.imports, ...(chunk.viteMetadata?.importedCss ?? []), ...(chunk.viteMetadata?.importedAssets ?? [])].forEach(visit);
  };
  const entry = Object.values(bundle).find((chunk) => chunk.type === "chunk" && chunk.isEntry && chunk.facadeModuleId?.endsWith(`/${page}`));
  if (entry === undefined) throw new Error(`${page} has no entry`);
  visit(entry.fileName);
  return files;
}

/** Ends the build when a page has grown too heavy. */
function weigh(): Plugin {
  return {
    name: "weigh",
    apply: "build",
    enforce: "post",
    generateBundle: {
      order: "post",
      handler(_, bundle) {
        for (const [page, bytes_max] of Object.entries(FIRST_LOAD_BYTES_MAX)) {
          let bytes = 0;
          for (const name of firstLoad(bundle, page)) {
            const file = bundle[name];
            if (file !== undefined) bytes += gzipSync(file.type === "chunk" ? file.code : file.source, { level: 9 }).length;
          }
          if (bytes > bytes_max) {
            throw new Error(`${page} loads ${bytes} bytes before it can show anything, more than ${bytes_max} (hint: load a view when it is opened)`);
          }
          this.info(`${page}: ${bytes} bytes (gzip) before it can show anything`);
        }
      },
    },
  };
}

/** Builds a phone page's service worker when the page's files have their names, and tells it these and their version. */
function phoneWorker(name: string): Plugin {
  return {
    name: `phone-worker-${name}`,
    apply: "build",
    enforce: "post",
    generateBundle: {
      order: "post",
      async handler(_, bundle) {
        const files = firstLoad(bundle, `${name}.html`);
        const page = bundle[`${name}.html`];
        if (page?.type !== "asset") throw new Error(`${name}.html was not written`);
        const version = createHash("sha256").update(page.source);
        // hashed names stand for their content, fixed ones do not
        for (const file of [...files].sort()) version.update(file);
        for (const file of phoneFixed(name)) version.update(readFileSync(path(`public/${file}`)));
        const made = await build({
          configFile: false,
          logLevel: "warn",
          publicDir: false,
          define: {
            __PAGE__: JSON.stringify(`/${name}`),
            __PAGE_FILES__: JSON.stringify([...[...files].sort(), ...phoneFixed(name)].map((file) => `/${file}`)),
            __PAGE_VERSION__: JSON.stringify(version.digest("hex").slice(0, 16)),
          },
          build: {
            write: false,
            target: "es2022",
            rolldownOptions: { input: path(`src/phone/worker/${name}.ts`), output: { format: "iife" } },
          },
        });
        const output = Array.isArray(made) ? made[0]?.output : "output" in made ? made.output : undefined;
        if (output?.length !== 1 || output[0].type !== "chunk") throw new Error("the service worker must be one file");
        this.emitFile({ type: "asset", fileName: `${name}-worker.js`, source: output[0].code });
      },
    },
  };
}

export default defineConfig({
  plugins: [vue(), ...PHONE_PAGES.map(phoneWorker), weigh()],
  worker: { format: "es" },
  server: { proxy: Object.fromEntries(["/api", "/readyz"].map((path) => [path, process.env["HUB"] ?? "http://127.0.0.1:8080"])) },
  build: {
    target: "es2022",
    // a data: URL would be refused by the content security policy
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: { input: { index: path("index.html"), report: path("report.html"), work: path("work.html") } },
  },
  test: { include: ["src/**/*.test.ts"], environment: "node" },
});
