import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

export interface SourceFile {
  /** Relative to the root of the repository, such as `src/account/rules.ts`. */
  path: string;
  text: string;
}

export interface Import {
  /** The file and line, such as `src/account/graphql.ts:3`. */
  at: string;
  from: SourceFile;
  /** The path of a file in the repository or the name of a package. */
  of: string;
  /** Whether the import is erased at compile time. */
  typeOnly: boolean;
}

const notOurs = ['node_modules', '__generated__'];

function pathsBelow(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return notOurs.includes(entry.name) ? [] : pathsBelow(path);
    return entry.name.endsWith('.ts') ? [path] : [];
  });
}

/** Returns all TypeScript files below a folder of the repository. */
export function sourceFiles(folder: string): SourceFile[] {
  return pathsBelow(folder)
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

export function lineAt(text: string, index: number): number {
  return text.slice(0, index).split('\n').length;
}

function isTypeOnly(clause: string): boolean {
  if (/^type\s/.test(clause)) return true;
  const names = /^\{([^}]*)\}/.exec(clause)?.[1]?.split(',') ?? ['a default'];
  return names.every((name) => /^\s*(type\s.*)?$/s.test(name));
}

/** Returns the static and dynamic imports and the re-exports of a file. */
export function importsOf(from: SourceFile): Import[] {
  const statement = /^(?:import|export)\s+([^'";=]*?\bfrom\s*)?'([^']+)'/gm;
  const dynamic = /()\bimport\(\s*'([^']+)'/g;
  return [statement, dynamic].flatMap((pattern) =>
    [...from.text.matchAll(pattern)].map((match) => {
      const [, clause = '', specifier = ''] = match;
      const of = specifier.startsWith('.')
        ? relative(root, join(root, dirname(from.path), specifier))
        : specifier;
      return { at: `${from.path}:${lineAt(from.text, match.index)}`, from, of, typeOnly: isTypeOnly(clause) };
    }),
  );
}

/** Returns the lines of these files that match a pattern, as `path:line text`. */
export function linesMatching(files: SourceFile[], pattern: RegExp): string[] {
  return files.flatMap(({ path, text }) =>
    text
      .split('\n')
      .flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1} ${line.trim()}`] : [])),
  );
}
