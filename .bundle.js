import { chmod, cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
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

const readJson = async (path) => JSON.parse(await readFile(path, 'utf8'));

/** Returns the directories of the packages whose code is in the bundle. */
function bundledPackages({ outputs }) {
  const used = Object.values(outputs).flatMap(({ inputs }) =>
    Object.entries(inputs).filter(([, { bytesInOutput }]) => bytesInOutput > 0),
  );
  const found = used.map(([path]) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0]);
  return new Set(found.filter((directory) => directory !== undefined));
}

/** Returns the name and version of a package, and its licence and notices. */
async function noticeOf(directory) {
  const { name, version, license, repository } = await readJson(join(directory, 'package.json'));
  const files = (await readdir(directory)).filter((file) => /^(licen[cs]e|copying|notice)/i.test(file));
  const texts = await Promise.all(files.sort().map((file) => readFile(join(directory, file), 'utf8')));
  const text = texts.map((each) => each.trim()).join('\n\n');
  return {
    title: `${name} ${version} (${license})`,
    text: text || `The package contains no licence text. Its source: ${repository.url ?? repository}`,
  };
}

/** Returns the licences of packages. Packages with the same text share it. */
async function noticesOf(directories) {
  const titles = new Map();
  for (const { title, text } of await Promise.all([...directories].map(noticeOf)))
    titles.set(text, [...(titles.get(text) ?? []), title].sort());
  const parts = [...titles].map(([text, names]) => [names.map((name) => `== ${name}`).join('\n'), text]);
  return parts
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map((part) => `${part.join('\n\n')}\n`)
    .join('\n');
}

const swaggerUi = 'node_modules/swagger-ui-dist';
const swaggerUiFiles = [
  'swagger-ui-bundle.js',
  'swagger-ui-bundle.js.LICENSE.txt',
  'swagger-ui.css',
  'favicon-32x32.png',
];

/** Bundles the service into the directory that the argument names. A start reads a thousand files fewer. */
const [, , directory] = process.argv;
const { dependencies } = await readJson('package.json');
const { metafile } = await build({
  entryPoints: ['src/main.ts'],
  outdir: directory,
  // As deep as a folder of src/, so that the paths to migrations/ and dist/swagger-ui/ are the same.
  chunkNames: 'chunks/[name]-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  // The bundle contains all packages except these.
  external: Object.keys(dependencies),
  // Some CommonJS packages load modules of Node.js with `require`.
  banner: {
    js: "import { createRequire as $createRequire } from 'node:module'; const require = $createRequire(import.meta.url);",
  },
  // Smaller text, and functions keep their names.
  minifyWhitespace: true,
  sourcemap: true,
  sourcesContent: false,
  logLevel: 'warning',
  metafile: true,
  plugins: [packages],
});
await chmod(join(directory, 'main.js'), 0o755);
await mkdir(join(directory, 'swagger-ui'), { recursive: true });
for (const file of swaggerUiFiles) await cp(join(swaggerUi, file), join(directory, 'swagger-ui', file));
const notices = await noticesOf([...bundledPackages(metafile), swaggerUi]);
await writeFile(join(directory, 'THIRD-PARTY-NOTICES.txt'), notices);
