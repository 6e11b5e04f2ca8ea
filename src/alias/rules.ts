import { idempotencyKey } from '../idempotency/rules.ts';
import { identifier, report, unique } from '../lib/rule.ts';
import { z } from '../lib/zod.ts';

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
    effectiveFrom: instant
      .nullish()
      .describe(
        'The instant from which the value names the account. Default: the end of the last past span that the alias would overlap, of any account; without such a span, the alias has no beginning. Must be before `effectiveUntil`.',
      ),
    effectiveUntil: instant
      .nullish()
      .describe('The instant from which the value no longer names the account; without it, there is no end.'),
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
  .check(unique((alias) => alias, 'the value'))
  .describe(
    'Values that name the account without an end. Each begins when the value last ended as an alias, or has no beginning if it is new.',
  );
export const datedAliases = z
  .array(datedAlias)
  .max(maxAliasesPerCall)
  .describe('Values that name the account for a span of time.');

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

type Lists<Dated extends string> = { aliases?: string[] | null | undefined } & {
  [name in Dated]?: DatedAliasInput[] | null | undefined;
};

/** The rule of an input that holds plain and dated aliases; the ways in call the dated ones by different names. */
export function aliasListRules<Dated extends string>(dated: Dated) {
  const spansIn = (input: Lists<Dated>) => spansOf({ aliases: input.aliases, datedAliases: input[dated] });
  return {
    /** The two lists of one input count together, and none of their spans may claim a value twice at one instant. */
    checkSpans(payload: z.core.ParsePayload<Lists<Dated>>): void {
      const spans = spansIn(payload.value);
      const plainCount = payload.value.aliases?.length ?? 0;
      if (spans.length > maxAliasesPerCall) {
        const message = `must have at most ${maxAliasesPerCall} elements together with aliases`;
        report(payload, 'TOO_MANY', message, [dated]);
      }
      spans.forEach((span, index) => {
        const clash = spans.findIndex((other) => overlap(other, span));
        // A span that ends before it begins overlaps nothing, itself included.
        if (index < plainCount || clash === -1 || clash === index) return;
        const message = 'names a value that this input already claims for some of that time';
        report(payload, 'DUPLICATE', message, [dated, index - plainCount, 'value']);
      });
    },
    checkSome(payload: z.core.ParsePayload<Lists<Dated>>): void {
      if (spansIn(payload.value).length > 0) return;
      report(payload, 'REQUIRED', `must hold at least one value, here or in ${dated}`, ['aliases']);
    },
  };
}

const { checkSpans, checkSome } = aliasListRules('datedAliases');

/** Beside the rules of its fields, that of an input with `aliases` and `datedAliases`. */
export const checkAliasLists = checkSpans;

const accountId = value.describe('The id of the account whose aliases these are.');

export const addAliasesInput = z
  .object({
    accountId,
    aliases: aliases.nullish(),
    datedAliases: datedAliases.nullish(),
    idempotencyKey: idempotencyKey.nullish(),
  })
  .check(checkSpans)
  .check(checkSome);

export type AddAliasesInput = z.output<typeof addAliasesInput>;

export const removeAliasesInput = z.object({
  accountId,
  aliases: aliases.min(1),
  effectiveUntil: instant.nullish(),
  idempotencyKey: idempotencyKey.nullish(),
});

export type RemoveAliasesInput = z.output<typeof removeAliasesInput>;

export const spanId = value.describe(
  'The id of one span of time of an alias. It stays the same when the span ends at another instant.',
);

const spans = z
  .array(
    z.object({
      id: spanId,
      from: instant
        .nullish()
        .describe('The instant from which it no longer names the account; now when it is left out.'),
    }),
  )
  .max(maxAliasesPerCall)
  .check(unique((span) => span.id, 'the id'));

/** As `removeAliasesInput`, for callers that may name single spans by their ids. */
export const removeSpansInput = z.object({
  accountId,
  aliases: aliases.nullish(),
  spans: spans.nullish(),
  idempotencyKey: idempotencyKey.nullish(),
});

export type RemoveSpansInput = z.output<typeof removeSpansInput>;

export const endAliasInput = z.object({ alias: value, idempotencyKey: idempotencyKey.nullish() });

export type EndAliasInput = z.output<typeof endAliasInput>;

export const transferAliasInput = z.object({
  alias: value,
  toAccountId: value,
  effectiveFrom: instant.nullish(),
  idempotencyKey: idempotencyKey.nullish(),
});

export type TransferAliasInput = z.output<typeof transferAliasInput>;
