import { describe, expect, it } from 'vitest';
import { linesMatching, type SourceFile, sourceFiles } from '../support/source.ts';

const src = sourceFiles('src');
const maxFileLines = 400;
const maxFunctionLines = 80;

/** Returns the long functions at the top level of a file, which end with a brace in the first column. */
function longFunctions({ path, text }: SourceFile): string[] {
  const lines = text.split('\n');
  return lines.flatMap((line, start) => {
    if (!/^(export )?(default )?(async )?function\b/.test(line)) return [];
    const length = lines.slice(start).indexOf('}') + 1;
    return length > maxFunctionLines ? [`${path}:${start + 1} ${line} (${length} lines)`] : [];
  });
}

describe('the source', () => {
  it('reads the environment only in config.ts', () => {
    const others = src.filter(({ path }) => path !== 'src/config.ts');
    const readers = linesMatching(others, /process(\.|\[')env\b|\benv\b.*from '(node:)?process'/);
    // Passing PATH to a child process is not configuration.
    expect(readers.filter((line) => !line.includes('env: { PATH: process.env.PATH ??'))).toEqual([]);
  });

  it('has no module state: no top-level variable can be reassigned', () => {
    expect(linesMatching(src, /^(export )?(let|var)\b/)).toEqual([]);
  });

  it('has only named exports and no re-exporting files', () => {
    expect(linesMatching(src, /^export (default\b|\* from)/)).toEqual([]);
  });

  it('creates no code from text', () => {
    expect(linesMatching(src, /\beval\(|\bnew Function\(|['"](node:)?vm['"]/)).toEqual([]);
  });

  it('has no classes except errors', () => {
    const classes = linesMatching(src, /\bclass \w+/).filter((line) => !/^\S+ *\/?\*/.test(line));
    expect(classes.filter((line) => !/class \w*Error\b/.test(line))).toEqual([]);
  });
});

describe('the source and the tests', () => {
  const all = [...src, ...sourceFiles('test')];

  it(`has at most ${maxFileLines} lines per file`, () => {
    const lengths = all.map(({ path, text }) => ({ path, lines: text.trimEnd().split('\n').length }));
    expect(lengths.filter(({ lines }) => lines > maxFileLines)).toEqual([]);
  });

  it(`has at most ${maxFunctionLines} lines per function`, () => {
    expect(all.flatMap(longFunctions)).toEqual([]);
  });
});
