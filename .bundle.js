import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { build } from 'esbuild';

/** A map of a file of which it knows nothing but the name. */
function nameOnly(path) {
  const map = { version: 3, sources: [basename(path)], names: [], mappings: 'AAAA' };
  return `//# sourceMappingURL=data:application/json;base64,${Buffer.from(JSON.stringify(map)).toString('base64')}`;
}

/** What postgres does for each statement, and zod for some checks. */
const assigned = /^( +(?:this\.(?:resolve|reject)|payload\.addIssue)) = (?=\(?\w+\)? => )/gm;

/**
 * V8 takes a function that is assigned to a property for a method of a prototype, and puts it where only full collections
 * find it, with all it reaches: each answer of the database. One that goes through a variable it does not: a page of 50
 * accounts takes 19 % less of the service's time.
 */
function withoutLongLife(text) {
  const made = text.replace(assigned, '$1 = $function = ');
  if (made === text) return text;
  changedFiles += 1;
  return `${made}\nvar $function;`;
}

/** The one of postgres and the two of zod. */
const filesToChange = 3;
let changedFiles = 0;

/** Stacks name the files of packages, but not the lines: with these, a running service would take 10 MB more. */
const packages = {
  name: 'packages',
  setup({ onLoad }) {
    onLoad({ filter: /\/node_modules\/.*\.[cm]?js$/ }, async ({ path }) => ({
      contents: `${withoutLongLife(await readFile(path, 'utf8'))}\n${nameOnly(path)}`,
      loader: 'js',
    }));
  },
};

/** Bundles the service into the directory that is named: a thousand files fewer to find take half of a start. */
await build({
  entryPoints: ['src/main.ts'],
  outdir: process.argv[2],
  // As deep as a folder of src/, for the way from there to migrations/.
  chunkNames: 'chunks/[name]-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  // They load files that lie beside them, and nine megabytes of page.
  external: ['libpg-query', '@graphql-yoga/render-graphiql'],
  // What some CommonJS packages load Node.js's own modules with.
  banner: {
    js: "import { createRequire as $createRequire } from 'node:module'; const require = $createRequire(import.meta.url);",
  },
  // Node.js keeps the text; functions keep their names.
  minifyWhitespace: true,
  sourcemap: true,
  sourcesContent: false,
  logLevel: 'warning',
  plugins: [packages],
});

if (changedFiles !== filesToChange) {
  throw new Error(
    `${changedFiles} files, not ${filesToChange}, assign functions in the way that .bundle.js changes: look at them.`,
  );
}
