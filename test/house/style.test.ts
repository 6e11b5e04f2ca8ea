import { describe, expect, it } from 'vitest';
import { linesMatching, type SourceFile, sourceFiles } from '../support/source.ts';

const src = sourceFiles('src');
const maxFileLines = 400;
const maxFunctionLines = 80;

/** Functions at the top of a file, which the formatter ends with a brace at the beginning of a line. */
function longFunctions({ path, text }: SourceFile): string[] {
  const lines = text.split('\n');
  return lines.flatMap((line, start) => {
    if (!/^(export )?(default )?(async )?function\b/.test(line)) return [];
    const length = lines.slice(start).indexOf('}') + 1;
    return length > maxFunctionLines ? [`${path}:${start + 1} ${line} (${length} lines)`] : [];
  });
}

describe('in src', () => {
  it('config.ts is the only reader of the environment', () => {
    const others = src.filter(({ path }) => path !== 'src/config.ts');
    const readers = linesMatching(others, /process(\.|\[')env\b|\benv\b.*from '(node:)?process'/);
    // A child process is given the path of its parent; that configures nothing.
    expect(readers.filter((line) => !line.includes('env: { PATH: process.env.PATH ??'))).toEqual([]);
  });

  it('no module keeps state: nothing at its top can be assigned again', () => {
    expect(linesMatching(src, /^(export )?(let|var)\b/)).toEqual([]);
  });

  it('exports have names, and no file only passes on others', () => {
    expect(linesMatching(src, /^export (default\b|\* from)/)).toEqual([]);
  });

  it('no code is made from text', () => {
    expect(linesMatching(src, /\beval\(|\bnew Function\(|['"](node:)?vm['"]/)).toEqual([]);
  });

  it('the only classes are errors', () => {
    const classes = linesMatching(src, /\bclass \w+/).filter((line) => !/^\S+ *\/?\*/.test(line));
    expect(classes.filter((line) => !/class \w*Error\b/.test(line))).toEqual([]);
  });
});

describe('in src and test', () => {
  const all = [...src, ...sourceFiles('test')];

  it(`a file has at most ${maxFileLines} lines`, () => {
    const lengths = all.map(({ path, text }) => ({ path, lines: text.trimEnd().split('\n').length }));
    expect(lengths.filter(({ lines }) => lines > maxFileLines)).toEqual([]);
  });

  it(`a function has at most ${maxFunctionLines} lines`, () => {
    expect(all.flatMap(longFunctions)).toEqual([]);
  });
});
