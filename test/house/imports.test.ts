import { describe, expect, it } from 'vitest';
import { type Import, importsOf, linesMatching, type SourceFile, sourceFiles } from '../support/source.ts';

const files = sourceFiles('src');
const imports = files.flatMap(importsOf);
const byPath = new Map(files.map((file) => [file.path, file]));

const platform = ['graphql', 'rest', 'http', 'db', 'observe'];
const rootFiles = [
  'src/ctx.ts',
  'src/context.ts',
  'src/config.ts',
  'src/schema.ts',
  'src/router.ts',
  'src/app.ts',
  'src/main.ts',
];

const folderOf = (path: string): string => /^src\/([^/]+)\//.exec(path)?.[1] ?? '';
const baseOf = (path: string): string => path.split('/').at(-1) ?? '';
const isInSrc = (path: string): boolean => path.startsWith('src/');
const isDomain = (path: string): boolean =>
  folderOf(path) !== '' && ![...platform, 'lib', 'cli'].includes(folderOf(path));
const isDatabase = (path: string): boolean =>
  folderOf(path) === 'db' || /^(drizzle-orm|postgres)(\/|$)/.test(path) || baseOf(path) === 'table.ts';

/** The imports that break a rule, each with its place. */
const offending = (breaks: (one: Import) => boolean): string[] =>
  imports.filter(breaks).map(({ at, of }) => `${at} imports ${of}`);

/** The layers of a domain. A file of another name stands where what it imports puts it. */
const layers = ['rules.ts', 'table.ts', 'read.ts', 'write.ts', 'graphql.ts'];
const layerNames: Record<string, number> = {
  ...Object.fromEntries(layers.map((name, index) => [name, index])),
  'create.ts': 3,
  'inputs.ts': 4,
  'mutations.ts': 4,
  'rest.ts': 4,
};

function layerOf(path: string, above: string[] = []): number {
  const named = layerNames[baseOf(path)];
  if (!isDomain(path)) return isDatabase(path) ? 1 : 0;
  if (named !== undefined) return named;
  const file = byPath.get(path);
  if (file === undefined || above.includes(path)) return 0;
  const below = importsOf(file).filter((one) => !one.typeOnly);
  return Math.max(0, ...below.map(({ of }) => layerOf(of, [...above, path])));
}

describe('who may import whom:', () => {
  it('every import of a file names one that exists, with its ending', () => {
    expect(offending(({ of }) => isInSrc(of) && !byPath.has(of))).toEqual([]);
  });

  it('lib imports nobody in src', () => {
    expect(
      offending(({ from, of }) => folderOf(from.path) === 'lib' && isInSrc(of) && folderOf(of) !== 'lib'),
    ).toEqual([]);
  });

  it('the platform folders know no domain, only the type of a request’s context', () => {
    const allowed = ({ of, typeOnly }: Import) =>
      [...platform, 'lib'].includes(folderOf(of)) || (of === 'src/ctx.ts' && typeOnly);
    const breaks = (one: Import) =>
      platform.includes(folderOf(one.from.path)) && isInSrc(one.of) && !allowed(one);
    expect(offending(breaks)).toEqual([]);
  });

  it('whatever shows the data, GraphQL or REST, sees no table and no database', () => {
    const shows = ({ path }: SourceFile) =>
      ['graphql', 'rest'].includes(folderOf(path)) ||
      ['graphql.ts', 'mutations.ts', 'inputs.ts', 'rest.ts'].includes(baseOf(path));
    expect(offending(({ from, of }) => shows(from) && isDatabase(of))).toEqual([]);
  });

  it(`in the domains, ${layers.join(' ← ')}: nobody imports a later layer`, () => {
    const breaks = ({ from, of, typeOnly }: Import) =>
      !typeOnly && isDomain(from.path) && isDomain(of) && layerOf(of) > layerOf(from.path);
    expect(offending(breaks)).toEqual([]);
  });

  it('rules know neither the database nor a way in', () => {
    const breaks = ({ from, of }: Import) =>
      baseOf(from.path) === 'rules.ts' &&
      (isDatabase(of) || platform.includes(folderOf(of)) || layerOf(of) > 0);
    expect(offending(breaks)).toEqual([]);
  });

  it('domains know the context of a request as a type, and nothing else of the root', () => {
    const breaks = ({ from, of, typeOnly }: Import) =>
      isDomain(from.path) && rootFiles.includes(of) && !(of === 'src/ctx.ts' && typeOnly);
    expect(offending(breaks)).toEqual([]);
  });

  it('only commands import the app, only main imports commands, and nobody imports main', () => {
    const above: Record<string, RegExp> = {
      'src/main.ts': /^$/,
      'src/app.ts': /^src\/cli\//,
      'src/schema.ts': /^src\/(app\.ts$|cli\/)/,
      'src/router.ts': /^src\/app\.ts$/,
      'src/context.ts': /^src\/(app\.ts$|cli\/)/,
    };
    const breaks = ({ from, of }: Import) =>
      (folderOf(of) === 'cli' && !/^src\/(cli\/|main\.ts$)/.test(from.path)) ||
      (above[of] !== undefined && !above[of].test(from.path));
    expect(offending(breaks)).toEqual([]);
  });

  it('zod is imported with its configuration', () => {
    const configured = ['src/lib/zod.ts', 'src/rest/zod.ts'];
    const exported = /\bz\b.*from '(zod|@hono\/zod-openapi)/;
    expect(offending(({ from, of }) => /^zod(\/|$)/.test(of) && !configured.includes(from.path))).toEqual([]);
    expect(linesMatching(files, exported).filter((line) => !/^src\/(lib|rest)\/zod\.ts:/.test(line))).toEqual(
      [],
    );
  });

  it('ctx.ts holds types only', () => {
    expect(offending(({ from, typeOnly }) => from.path === 'src/ctx.ts' && !typeOnly)).toEqual([]);
    const ctx = files.filter(({ path }) => path === 'src/ctx.ts');
    expect(linesMatching(ctx, /^(export )?(const|let|function|class|enum)\b/)).toEqual([]);
  });

  it('what makes and sends traces is loaded only where there is a collector', () => {
    const others = files.filter(({ path }) => folderOf(path) !== 'observe');
    expect(linesMatching(others, /^import (?!type ).*\/observe\/(trace|otlp)\.ts'/)).toEqual([]);
    expect(linesMatching(others, /\bimport\('.*\/observe\/(trace|otlp)\.ts'\)/)).toHaveLength(1);
  });

  it('db/constraint.ts alone knows how the driver names a violated constraint', () => {
    const others = files.filter(({ path }) => path !== 'src/db/constraint.ts');
    expect(linesMatching(others, /\.constraint_name\b|\.cause\.code\b/)).toEqual([]);
  });
});
