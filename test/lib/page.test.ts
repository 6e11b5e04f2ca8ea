import fc from 'fast-check';
import { expect, it } from 'vitest';
import { encodeCursor, type PageArgs, pageOf, parsePage } from '../../src/lib/page.ts';

const anyPosition = () => true;
const rows = (count: number) => Array.from({ length: count }, (_, index) => index);

it('reads back every cursor that it made', () => {
  const anyText = fc.string({ unit: 'grapheme' });
  fc.assert(
    fc.property(anyText, anyText, (value, tie) => {
      const after = encodeCursor('ORDER', [value, tie]);
      expect(parsePage({ after }, 'ORDER', anyPosition).from).toEqual([value, tie]);
      expect(() => parsePage({ after }, 'OTHER', anyPosition)).toThrow('cursor');
    }),
  );
});

it('takes no other text for a cursor', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (after) => {
      expect(() => parsePage({ after }, 'ORDER', anyPosition)).toThrow('cursor');
    }),
  );
});

it('takes 20 entries from the beginning when nothing is said', () => {
  const nothing: PageArgs = { first: null, after: null, last: null, before: null };
  for (const args of [{}, nothing]) {
    expect(parsePage(args, 'ORDER', anyPosition)).toEqual({ size: 20, backward: false, from: undefined });
  }
});

it('shows a page in the order of the list, and what lies on either side of it', () => {
  const from: [string, string] = ['v', 't'];
  const sides = ({ hasPreviousPage, hasNextPage }: ReturnType<typeof pageOf>) => [
    hasPreviousPage,
    hasNextPage,
  ];
  const page = { size: 2, backward: false, from: undefined };
  expect(pageOf(page, rows(3))).toEqual({ rows: [0, 1], hasPreviousPage: false, hasNextPage: true });
  expect(sides(pageOf(page, rows(2)))).toEqual([false, false]);
  expect(sides(pageOf({ ...page, from }, rows(2)))).toEqual([true, false]);
  const backward = { ...page, backward: true };
  expect(pageOf(backward, rows(3))).toEqual({ rows: [1, 0], hasPreviousPage: true, hasNextPage: false });
  expect(sides(pageOf({ ...backward, from }, rows(1)))).toEqual([false, true]);
});
