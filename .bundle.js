import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { build } from 'esbuild';

/** A source map that holds nothing but the name of its file. */
function nameOnly(path) {
  const map = { version: 3, sources: [basename(path)], names: [], mappings: 'AAAA' };
  return `//# sourceMappingURL=data:application/json;base64,${Buffer.from(JSON.stringify(map)).toString('base64')}`;
}

/** Stacks name the files of packages without their lines, which would take a running service 10 MB more. */
const packages = {
  name: 'packages',
  setup({ onLoad }) {
    onLoad({ filter: /\/node_modules\/.*\.[cm]?js$/ }, async ({ path }) => ({
      contents: `${await readFile(path, 'utf8')}\n${nameOnly(path)}`,
      loader: 'js',
    }));
  },
};

/** Bundles the service into the directory that the argument names. A start reads a thousand files fewer. */
await build({
  entryPoints: ['src/main.ts'],
  outdir: process.argv[2],
  // As deep as a folder of src/, so that the path to migrations/ is the same.
  chunkNames: 'chunks/[name]-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  // They load files that lie beside them: WebAssembly, and a page of 9 MB.
  external: ['libpg-query', '@graphql-yoga/render-graphiql'],
  // Some CommonJS packages load modules of Node.js with `require`.
  banner: {
    js: "import { createRequire as $createRequire } from 'node:module'; const require = $createRequire(import.meta.url);",
  },
  // Smaller text, and functions keep their names.
  minifyWhitespace: true,
  sourcemap: true,
  sourcesContent: false,
  logLevel: 'warning',
  plugins: [packages],
});
