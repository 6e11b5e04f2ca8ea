import fc from 'fast-check';
import { expect, it, vi } from 'vitest';
import { encodeCursor, type PageArgs, pageOf, parsePage } from '../../src/lib/page.ts';

const anyPosition = () => true;
const rows = (count: number) => Array.from({ length: count }, (_, index) => index);

it('decodes every cursor that it encoded', () => {
  const anyText = fc.string({ unit: 'grapheme' });
  fc.assert(
    fc.property(anyText, anyText, (value, tie) => {
      const after = encodeCursor('ORDER', [value, tie]);
      expect(parsePage({ after }, 'ORDER', anyPosition).from).toEqual([value, tie]);
      expect(() => parsePage({ after }, 'OTHER', anyPosition)).toThrow('cursor');
    }),
  );
});

it('rejects any other text as a cursor', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (after) => {
      expect(() => parsePage({ after }, 'ORDER', anyPosition)).toThrow('cursor');
    }),
  );
});

it('returns the first 20 entries by default', () => {
  const nothing: PageArgs = { first: null, after: null, last: null, before: null };
  for (const args of [{}, nothing]) {
    expect(parsePage(args, 'ORDER', anyPosition)).toEqual({ size: 20, backward: false, from: undefined });
  }
});

it('returns a page in the order of the list and whether more entries follow', () => {
  const page = { size: 2, backward: false, from: undefined };
  const findBehind = async () => true;
  expect(pageOf(page, rows(3), findBehind)).toMatchObject({ rows: [0, 1], hasMore: true });
  expect(pageOf(page, rows(2), findBehind)).toMatchObject({ rows: [0, 1], hasMore: false });
  const backward = { ...page, backward: true };
  expect(pageOf(backward, rows(3), findBehind)).toMatchObject({ rows: [1, 0], hasMore: true });
});

it('looks for entries before a page once, and only if it starts at a cursor', async () => {
  const findBehind = vi.fn(async () => true);
  const page = { size: 2, backward: false, from: undefined };
  expect(await pageOf(page, rows(1), findBehind).hasRowsBehind()).toBe(false);
  expect(findBehind).not.toHaveBeenCalled();
  const after = pageOf({ ...page, from: ['v', 't'] }, rows(1), findBehind);
  expect([await after.hasRowsBehind(), await after.hasRowsBehind()]).toEqual([true, true]);
  expect(findBehind).toHaveBeenCalledTimes(1);
});
