import { z } from 'zod';
import { idempotencyKey } from '../idempotency/rules.ts';
import { identifier, report, unique } from '../lib/rule.ts';

export const maxAliasesPerCall = 10;
export const maxAliasesInForce = 100;

/** Account ids and alias values share one look-up space, so they share one rule. */
export const value = identifier({ min: 1, max: 50 }).describe(
  'The name that usage events carry: an email, a phone number, a device id. Case-sensitive.',
);

const earliest = new Date('0001-01-01T00:00:00Z');
const latest = new Date('9999-12-31T23:59:59.999Z');

export const instant = z.date().check((payload) => {
  if (payload.value < earliest || payload.value > latest) {
    report(payload, 'INVALID_VALUE', 'must lie in the years 0001 to 9999');
  }
});

export const datedAlias = z
  .object({
    value,
    effectiveFrom: instant.nullish(),
    effectiveUntil: instant.nullish(),
  })
  .check((payload) => {
    const { effectiveFrom, effectiveUntil } = payload.value;
    if (effectiveFrom && effectiveUntil && effectiveFrom >= effectiveUntil) {
      report(payload, 'INVALID_VALUE', 'must be later than effectiveFrom', ['effectiveUntil']);
    }
  });

export type DatedAliasInput = z.output<typeof datedAlias>;

export const aliases = z
  .array(value)
  .max(maxAliasesPerCall)
  .check(unique((alias) => alias, 'the value'));
export const datedAliases = z.array(datedAlias).max(maxAliasesPerCall);

export interface AliasSpan {
  value: string;
  /** null: no beginning. */
  effectiveFrom: Date | null;
  /** Exclusive; null: no end. */
  effectiveUntil: Date | null;
}

interface AliasLists {
  aliases?: string[] | null | undefined;
  datedAliases?: DatedAliasInput[] | null | undefined;
}

/** Plain and dated aliases of one input as spans of time, plain ones first. */
export function spansOf(input: AliasLists): AliasSpan[] {
  const plain = (input.aliases ?? []).map((value) => ({ value, effectiveFrom: null, effectiveUntil: null }));
  const dated = (input.datedAliases ?? []).map((alias) => ({
    value: alias.value,
    effectiveFrom: alias.effectiveFrom ?? null,
    effectiveUntil: alias.effectiveUntil ?? null,
  }));
  return [...plain, ...dated];
}

export function isInForce({ effectiveFrom, effectiveUntil }: Omit<AliasSpan, 'value'>, on: Date): boolean {
  return (effectiveFrom === null || effectiveFrom <= on) && (effectiveUntil === null || effectiveUntil > on);
}

/** Whether two spans claim the same value at some instant. */
export function overlap(a: AliasSpan, b: AliasSpan): boolean {
  const aFirst = a.effectiveFrom === null || b.effectiveUntil === null || a.effectiveFrom < b.effectiveUntil;
  const bFirst = b.effectiveFrom === null || a.effectiveUntil === null || b.effectiveFrom < a.effectiveUntil;
  return a.value === b.value && aFirst && bFirst;
}

/** The two lists of one input count together, and none of their spans may claim a value twice at one instant. */
export function checkAliasLists(payload: z.core.ParsePayload<AliasLists>): void {
  const spans = spansOf(payload.value);
  const plainCount = payload.value.aliases?.length ?? 0;
  if (spans.length > maxAliasesPerCall) {
    report(payload, 'TOO_MANY', `must have at most ${maxAliasesPerCall} elements together with aliases`, [
      'datedAliases',
    ]);
  }
  spans.forEach((span, index) => {
    const clash = spans.findIndex((other) => overlap(other, span));
    // A span that ends before it begins overlaps nothing, itself included.
    if (index < plainCount || clash === -1 || clash === index) return;
    const path = ['datedAliases', index - plainCount, 'value'];
    report(payload, 'DUPLICATE', 'names a value that this input already claims for some of that time', path);
  });
}

const accountId = value.describe('The id of the account whose aliases these are.');

export const addAliasesInput = z
  .object({
    accountId,
    aliases: aliases.nullish(),
    datedAliases: datedAliases.nullish(),
    idempotencyKey: idempotencyKey.nullish(),
  })
  .check(checkAliasLists)
  .check((payload) => {
    if (spansOf(payload.value).length === 0) {
      report(payload, 'REQUIRED', 'must hold at least one value, here or in datedAliases', ['aliases']);
    }
  });

export type AddAliasesInput = z.output<typeof addAliasesInput>;

export const removeAliasesInput = z.object({
  accountId,
  aliases: aliases.min(1),
  effectiveUntil: instant.nullish(),
  idempotencyKey: idempotencyKey.nullish(),
});

export type RemoveAliasesInput = z.output<typeof removeAliasesInput>;

export const transferAliasInput = z.object({
  alias: value,
  toAccountId: value,
  effectiveFrom: instant.nullish(),
  idempotencyKey: idempotencyKey.nullish(),
});

export type TransferAliasInput = z.output<typeof transferAliasInput>;
