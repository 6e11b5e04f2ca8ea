import fc from 'fast-check';
import { expect, it } from 'vitest';
import { email, metadata, name } from '../../src/lib/fields.ts';
import { identifier, maxLength, text } from '../../src/lib/rule.ts';
import { listFirst } from '../../src/lib/wording.ts';

const anyText = fc.string({ unit: 'binary', maxLength: 60 });
const codePoints = (value: string) => [...value].length;

it('accepts exactly the valid identifiers', () => {
  const rule = identifier({ min: 1, max: 50 });
  fc.assert(
    fc.property(anyText, (value) => {
      const allowed =
        codePoints(value) >= 1 &&
        codePoints(value) <= 50 &&
        value.isWellFormed() &&
        value === value.trim() &&
        value === value.normalize('NFC') &&
        !/\p{Cc}|\p{Zl}|\p{Zp}|[\ufff9-\ufffb\u2800]/u.test(value) &&
        // Joiners, selectors and tags that scripts and emoji need.
        !/(?!\u200c|\u200d|[\ufe00-\ufe0f]|[\u{e0020}-\u{e007f}]|[\u{e0100}-\u{e01ef}])\p{Default_Ignorable_Code_Point}/u.test(
          value,
        );
      expect(rule.safeParse(value).success).toBe(allowed);
    }),
    { numRuns: 200 },
  );
});

it('accepts exactly the texts that the database can store, counted in code points', () => {
  const rule = text({ min: 2, max: 40 });
  fc.assert(
    fc.property(anyText, (value) => {
      const length = codePoints(value);
      const allowed = length >= 2 && length <= 40 && value.isWellFormed() && !value.includes('\u0000');
      expect(rule.safeParse(value).success).toBe(allowed);
    }),
    { numRuns: 200 },
  );
});

it('only trims accepted names', () => {
  fc.assert(
    fc.property(anyText, (value) => {
      const parsed = name.safeParse(value);
      if (parsed.success) expect(parsed.data).toBe(value.trim());
    }),
  );
});

it('changes nothing in accepted metadata but the white space around keys', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string({ unit: 'binary', maxLength: 45 }), anyText), (value) => {
      const parsed = metadata.safeParse(value);
      const trimmed = Object.entries(value).map(([key, text]) => [key.trim(), text]);
      if (parsed.success) expect(parsed.data).toEqual(Object.fromEntries(trimmed));
    }),
  );
});

it('returns the maximum length of a rule', () => {
  expect([name, email, text({ max: 7 }), identifier({ min: 1, max: 50 })].map(maxLength)).toEqual([
    255, 254, 7, 50,
  ]);
});

it('names the first of many values and counts the rest', () => {
  const names = ['a', 'b"', 'c'];
  expect(listFirst(names, 3)).toBe('"a", "b\\"", "c"');
  expect(listFirst(names, 12, 2)).toBe('"a", "b\\"" and 10 more');
});
