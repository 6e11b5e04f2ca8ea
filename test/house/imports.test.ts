import { describe, expect, it } from 'vitest';
import { type Import, importsOf, linesMatching, type SourceFile, sourceFiles } from '../support/source.ts';

const files = sourceFiles('src');
const imports = files.flatMap(importsOf);
const byPath = new Map(files.map((file) => [file.path, file]));

const folderOf = (path: string): string => /^src\/([^/]+)\//.exec(path)?.[1] ?? '';
const baseOf = (path: string): string => path.split('/').at(-1) ?? '';
const isInSrc = (path: string): boolean => path.startsWith('src/');

/** The domains in a line: each may import those before it. */
const domains = [
  'address',
  'setting',
  'alias',
  'account',
  'account-aliases',
  'customer',
  'owner-settings',
  'account-revert',
  'node',
];
const shared = ['lib', 'rules', 'db', 'tables', 'ctx', 'graphql', 'rest'];
const platform = [...shared, 'listing', 'history', 'past', 'feed', 'writing'];

/** The room of a file: a folder, a file of the root, or one of the layers that all `rules.ts` and `table.ts` files form. */
function roomOf(path: string): string {
  if (folderOf(path) === '') return baseOf(path).replace(/\.ts$/, '');
  if (baseOf(path) === 'rules.ts') return 'rules';
  return baseOf(path) === 'table.ts' ? 'tables' : folderOf(path);
}

/** The rooms that the files of a room may import. A file in another room fails the test. */
const allowed: Record<string, readonly string[]> = {
  lib: [],
  rules: ['lib'],
  db: ['lib'],
  tables: ['lib', 'rules', 'db'],
  ctx: ['lib', 'db', 'rules', 'tables'],
  graphql: ['lib', 'ctx'],
  http: ['lib', 'ctx'],
  observe: ['lib', 'ctx', 'db'],
  rest: ['lib', 'ctx', 'http', 'observe'],
  pipeline: ['lib', 'ctx', 'http', 'observe'],
  embedded: ['lib', 'db'],
  listing: shared,
  history: [...shared, 'listing'],
  feed: [...shared, 'history'],
  writing: [...shared, 'history'],
  tenant: [...shared, 'listing', 'history', 'writing'],
  past: [...shared, 'history', 'tenant'],
  auth: [...shared, 'tenant'],
  'import-formats': ['lib', 'rules'],
  import: [...platform, ...domains, 'tenant', 'context', 'import-formats'],
  delivery: [...shared, 'history', 'feed'],
  export: ['lib', 'rules', 'db', 'tables', 'history', 'feed'],
  webhook: [...platform, 'delivery'],
  ...Object.fromEntries(domains.map((name, index) => [name, [...platform, ...domains.slice(0, index)]])),
  context: ['lib', 'db', 'ctx', 'feed'],
  config: ['lib', 'db', 'auth', 'delivery'],
  schema: ['graphql', 'history', 'past', 'feed', 'tenant', 'webhook', ...domains],
  router: ['rest', 'auth', ...domains],
  app: [
    ...platform,
    'auth',
    'tenant',
    'delivery',
    'http',
    'observe',
    'pipeline',
    'context',
    'schema',
    'router',
  ],
  cli: [
    ...platform,
    ...domains,
    'auth',
    'tenant',
    'delivery',
    'export',
    'embedded',
    'import-formats',
    'import',
    'http',
    'observe',
    'pipeline',
  ].concat(['config', 'context', 'schema', 'router', 'app']),
  main: ['cli', 'lib'],
};

/** The imports that break a rule, each with its place. */
const offending = (breaks: (one: Import) => boolean): string[] =>
  imports.filter(breaks).map(({ at, of }) => `${at} imports ${of}`);

/** In `account/rules.ts` and the like, the order of the domains holds within the layer, too. */
function isDownTheLine(from: string, of: string): boolean {
  const [above, below] = [from, of].map((path) => domains.indexOf(folderOf(path)));
  return above === undefined || below === undefined || above === -1 || below === -1 || below <= above;
}

describe('imports', () => {
  it('name files that exist, with their endings', () => {
    expect(offending(({ of }) => isInSrc(of) && !byPath.has(of))).toEqual([]);
  });

  it('stay within the rooms that a file may import', () => {
    const breaks = ({ from, of }: Import) => {
      const [room, other] = [roomOf(from.path), roomOf(of)];
      return isInSrc(of) && room !== other && !allowed[room]?.includes(other);
    };
    expect(files.map(({ path }) => roomOf(path)).filter((room) => allowed[room] === undefined)).toEqual([]);
    expect(offending(breaks)).toEqual([]);
  });

  it('of rules go down the line of domains', () => {
    const breaks = ({ from, of }: Import) =>
      baseOf(from.path) === 'rules.ts' && isInSrc(of) && !isDownTheLine(from.path, of);
    expect(offending(breaks)).toEqual([]);
  });

  it('have no cycles, type imports included', () => {
    const below = (path: string) =>
      imports.filter(({ from, of }) => from.path === path && isInSrc(of)).map(({ of }) => of);
    const done = new Set<string>();
    function findCycle(path: string, above: string[]): string[] | undefined {
      if (above.includes(path)) return [...above.slice(above.indexOf(path)), path];
      if (done.has(path)) return undefined;
      for (const of of below(path)) {
        const cycle = findCycle(of, [...above, path]);
        if (cycle !== undefined) return cycle;
      }
      done.add(path);
      return undefined;
    }
    const cycles = files.flatMap(({ path }) => findCycle(path, [])?.join(' → ') ?? []);
    expect(cycles.slice(0, 1)).toEqual([]);
  });

  it('keep the database out of GraphQL and REST', () => {
    const shows = ({ path }: SourceFile) =>
      ['graphql', 'rest'].includes(folderOf(path)) || ['graphql.ts', 'inputs.ts'].includes(baseOf(path));
    const isDatabase = (path: string) =>
      folderOf(path) === 'db' || /^(drizzle-orm|postgres)(\/|$)/.test(path);
    expect(offending(({ from, of, typeOnly }) => !typeOnly && shows(from) && isDatabase(of))).toEqual([]);
  });

  it('take zod with its configuration', () => {
    const configured = ['src/lib/zod.ts', 'src/rest/zod.ts'];
    const exported = /\bz\b.*from '(zod|@hono\/zod-openapi)/;
    expect(offending(({ from, of }) => /^zod(\/|$)/.test(of) && !configured.includes(from.path))).toEqual([]);
    expect(linesMatching(files, exported).filter((line) => !/^src\/(lib|rest)\/zod\.ts:/.test(line))).toEqual(
      [],
    );
  });

  it('load the tracing code only if there is a collector', () => {
    const others = files.filter(({ path }) => folderOf(path) !== 'observe');
    expect(linesMatching(others, /^import (?!type ).*\/observe\/(trace|otlp)\.ts'/)).toEqual([]);
    expect(linesMatching(others, /\bimport\('.*\/observe\/(trace|otlp)\.ts'\)/)).toHaveLength(1);
  });
});

describe('a folder of a domain', () => {
  const names = [
    'rules.ts',
    'table.ts',
    'read.ts',
    'write.ts',
    'create.ts',
    'graphql.ts',
    'inputs.ts',
    'rest.ts',
  ];

  it.each(domains)('%s has at most eight files, with the usual names', (domain) => {
    const own = files.filter(({ path }) => folderOf(path) === domain).map(({ path }) => baseOf(path));
    expect(own.filter((name) => !names.includes(name))).toEqual([]);
    expect(own.length).toBeLessThanOrEqual(8);
  });
});

describe('ctx.ts', () => {
  const ctx = files.filter(({ path }) => path === 'src/ctx.ts');

  it('holds types only', () => {
    expect(offending(({ from, typeOnly }) => from.path === 'src/ctx.ts' && !typeOnly)).toEqual([]);
    expect(linesMatching(ctx, /^(export )?(const|let|function|class|enum)\b/)).toEqual([]);
  });
});

describe('db/constraint.ts', () => {
  it('alone knows how the driver names a violated constraint', () => {
    const others = files.filter(({ path }) => path !== 'src/db/constraint.ts');
    expect(linesMatching(others, /\.constraint_name\b|\.cause\.code\b/)).toEqual([]);
  });
});
