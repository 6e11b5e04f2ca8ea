import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { linesMatching, root, type SourceFile, sourceFiles } from '../support/source.ts';

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
  it('reads the environment only in config.ts and config/', () => {
    const others = src.filter(({ path }) => !/^src\/config(\.ts$|\/)/.test(path));
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
    // It tries to, and refuses to start the service if that works.
    const others = src.filter(({ path }) => path !== 'src/cli/code-generation.ts');
    expect(linesMatching(others, /\beval\(|\bFunction\(|['"](node:)?vm['"]/)).toEqual([]);
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

/** Phrases that are not plain English, or that a word of the field says better. */
const bannedPhrases = [
  // Sentences that hide their subject.
  /\bthose who\b/i,
  /\bwho(m|so)?ever\b/i,
  /\b(all|one|anyone|everyone) who\b/i,
  /\bwho asks?\b/i,
  /\bof wh(om|ich)\b/i,
  /\bbe it\b/i,
  /\bwh(ere|en) that is so\b/i,
  /\bwhat of an?\b/i,
  // Words that have a better one: rejects, waiting, valid, running, rolled back, instead of, also, conflicting, fix.
  /\bin peace\b/i,
  /\bputs? away\b/i,
  /\bin (the|its|their) way\b/i,
  /\bas much as it will\b/i,
  /\bcannot be had\b/i,
  /\b(of a bug|bug's fault)\b/i,
  /\bin place of\b/i,
  /\bgo(es)? out together\b/i,
  /\bby (itself|themselves)\b/i,
  /\bmend(s|ed)?\b/i,
  /\bpass(es)? by\b/i,
  /\blets? in\b/i,
  /\bthe ones? of\b/i,
  /\btheirs\b/i,
  /\bso many\b/i,
  /\bunder way\b/i,
  /\b(take|takes|took|taken) back\b/i,
  /\b(is|are|was|were) no longer good\b/i,
  /\ba good token\b/i,
  /\bfor ever\b/i,
  /\bin its life\b/i,
  /\bgets? its turn\b/i,
  /\bthe like\b/i,
  /\bnot any longer\b/i,
  /, too(?=[.:;,)]|$)/,
];

/** The text of a file on one line, without the marks of comments, so that a phrase can continue on the next line. */
function onOneLine(text: string): string {
  return text.replace(/\s*\n\s*(?:\* |\/\/ )?/g, ' ');
}

function bannedIn({ path, text }: SourceFile): string[] {
  const line = onOneLine(text);
  return bannedPhrases.flatMap((phrase) =>
    [...line.matchAll(new RegExp(phrase, `g${phrase.flags}`))].map(
      ({ index }) => `${path}: ${line.slice(Math.max(0, index - 30), index + 40)}`,
    ),
  );
}

describe('in src and the documentation', () => {
  const pages = [
    ...['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md'],
    ...readdirSync(join(root, 'docs'))
      .filter((name) => name.endsWith('.md'))
      .map((name) => `docs/${name}`),
  ];
  const documents = pages.map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));

  it('uses plain English', () => {
    expect([...src, ...documents].flatMap(bannedIn)).toEqual([]);
  });
});
