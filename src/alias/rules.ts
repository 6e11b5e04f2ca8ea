import { AppError } from '../lib/errors.ts';
import { entityReference, instant } from '../lib/fields.ts';
import { toTypeId, uuidOf } from '../lib/id.ts';
import { identifier, reference, report, unique } from '../lib/rule.ts';
import { byBytes } from '../lib/text-order.ts';
import { z } from '../lib/zod.ts';
import { idempotencyKey, writeOptions } from '../writing/rules.ts';

export const maxAliasesPerCall = 10;
export const maxAliasesInForce = 100;

export const value = identifier({ min: 1, max: 255 }).describe(
  'The name in usage events, such as an email, a phone number or a device id. Case-sensitive.',
);

export const datedAlias = z
  .object({
    value,
    effectiveFrom: instant
      .nullish()
      .describe(
        'The instant from which the value names the account. Default: the end of the last past span of the value, of any account; without such a span, the alias has no start. Must be before `effectiveUntil`.',
      ),
    effectiveUntil: instant
      .nullish()
      .describe('The instant from which the value no longer names the account. Default: no end.'),
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
  .meta({ uniqueItems: true })
  .describe(
    'Values that name the account without an end. Each starts when the value last ended as an alias; a new value has no start.',
  );
export const datedAliases = z
  .array(datedAlias)
  .max(maxAliasesPerCall)
  .describe('Values that name the account for a span of time.');

export interface AliasSpan {
  value: string;
  /** null: no start. */
  effectiveFrom: Date | null;
  /** Exclusive; null: no end. */
  effectiveUntil: Date | null;
}

interface AliasLists {
  aliases?: string[] | null | undefined;
  datedAliases?: DatedAliasInput[] | null | undefined;
}

/** Returns the plain and dated aliases of an input as spans, plain ones first. */
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

/**
 * Returns the aliases of a new account for the text of searches: first those that are in force without an end, then,
 * behind a mark, the others.
 */
export function searchedValues(spans: AliasSpan[], now: Date): string {
  const lasts = (span: AliasSpan) => isInForce(span, now) && span.effectiveUntil === null;
  const others = spans.filter((span) => !lasts(span));
  const mark = others.length > 0 ? ['\u001f'] : [];
  return [...spans.filter(lasts), ...mark, ...others]
    .map((one) => (typeof one === 'string' ? one : one.value))
    .join('\n');
}

/** Returns whether two spans have the same value at some instant. */
export function overlap(a: AliasSpan, b: AliasSpan): boolean {
  const aFirst = a.effectiveFrom === null || b.effectiveUntil === null || a.effectiveFrom < b.effectiveUntil;
  const bFirst = b.effectiveFrom === null || a.effectiveUntil === null || b.effectiveFrom < a.effectiveUntil;
  return a.value === b.value && aFirst && bFirst;
}

type Lists<Dated extends string> = { aliases?: string[] | null | undefined } & {
  [name in Dated]?: DatedAliasInput[] | null | undefined;
};

/** Returns the checks of an input with plain and dated aliases. The two APIs have different names for the dated ones. */
export function aliasListRules<Dated extends string>(dated: Dated) {
  const spansIn = (input: Lists<Dated>) => spansOf({ aliases: input.aliases, datedAliases: input[dated] });
  return {
    /** Limits both lists together, and refuses two spans of a value that overlap. */
    checkSpans(payload: z.core.ParsePayload<Lists<Dated>>): void {
      const spans = spansIn(payload.value);
      const plainCount = payload.value.aliases?.length ?? 0;
      if (spans.length > maxAliasesPerCall) {
        const message = `must have at most ${maxAliasesPerCall} elements together with aliases`;
        report(payload, 'TOO_MANY', message, [dated]);
      }
      spans.forEach((span, index) => {
        const clash = spans.findIndex((other) => overlap(other, span));
        // A span that ends before it starts overlaps nothing, not even itself.
        if (index < plainCount || clash === -1 || clash === index) return;
        const message = 'names a value that this input already claims for some of that time';
        report(payload, 'DUPLICATE', message, [dated, index - plainCount, 'value']);
      });
    },
    checkSome(
      payload: z.core.ParsePayload<{ [name in 'aliases' | Dated]?: unknown[] | null | undefined }>,
    ): void {
      const { aliases: plain, [dated]: others } = payload.value;
      if ([plain, others].some((list) => list && list.length > 0)) return;
      report(payload, 'REQUIRED', `must have at least one value, here or in ${dated}`, ['aliases']);
    },
  };
}

const { checkSpans, checkSome } = aliasListRules('datedAliases');

/** The check of an input with `aliases` and `datedAliases`. */
export const checkAliasLists = checkSpans;

const accountId = entityReference.describe('The id of the account.');
/** A value that an account may have had before a rule changed. */
const heldValue = reference({ min: 1, max: 255 }).describe('The value of an alias.');

export const addAliasesInput = z
  .object({
    accountId,
    aliases: aliases.nullish(),
    datedAliases: datedAliases.nullish(),
    ...writeOptions,
  })
  .check(checkSpans)
  .check(checkSome);

export type AddAliasesInput = z.output<typeof addAliasesInput>;

export const removeAliasesInput = z.object({
  accountId,
  aliases: z
    .array(heldValue)
    .min(1)
    .max(maxAliasesPerCall)
    .check(unique((alias) => alias, 'the value'))
    .meta({ uniqueItems: true }),
  effectiveUntil: instant.nullish(),
  ...writeOptions,
});

export type RemoveAliasesInput = z.output<typeof removeAliasesInput>;

/** The limit of one request. The published clients send any number. */
const maxRemoved = 1000;

export const spanId = heldValue.describe(
  'The id of one span of time of an alias. It stays the same when the span ends at another instant.',
);

const spans = z
  .array(
    z.object({
      id: spanId,
      from: instant
        .nullish()
        .describe('The instant from which it no longer names the account. Default: now.'),
    }),
  )
  .max(maxRemoved)
  .check(unique((span) => span.id, 'the id'));

/** Like `removeAliasesInput`, but single spans can be named by their ids. */
export const removeSpansInput = z.object({
  accountId,
  aliases: z
    .array(heldValue)
    .max(maxRemoved)
    .check(unique((alias) => alias, 'the value'))
    .meta({ uniqueItems: true })
    .nullish(),
  spans: spans.nullish(),
  idempotencyKey: idempotencyKey.nullish(),
});

export type RemoveSpansInput = z.output<typeof removeSpansInput>;

export const maxRegistered = 100;

/** Values to register before an account has them. Only the REST API does so. */
export const registerAliasesInput = z.object({
  aliases: z
    .array(z.object({ value }))
    .min(1)
    .max(maxRegistered)
    .check(unique((alias) => alias.value, 'the value'))
    .meta({ uniqueItems: true })
    .describe('The values to register.'),
  idempotencyKey: idempotencyKey.nullish(),
});

export type RegisterAliasesInput = z.output<typeof registerAliasesInput>;

export const endAliasInput = z.object({ alias: heldValue, idempotencyKey: idempotencyKey.nullish() });

export type EndAliasInput = z.output<typeof endAliasInput>;

export const transferAliasInput = z.object({
  alias: heldValue,
  toAccountId: entityReference,
  effectiveFrom: instant.nullish(),
  ...writeOptions,
});

export type TransferAliasInput = z.output<typeof transferAliasInput>;

/** A span of a value, and the account that claims or has it. */
export interface Claim extends AliasSpan {
  accountId: string;
}

/** The result of settling claims beside the existing spans. */
export interface SettledClaims<T extends Claim> {
  claims: T[];
  /** The existing spans that still overlap the claims. */
  clashes: Claim[];
  /** A hint for each refused claim. Empty if one of them has no remedy. */
  hints: AliasHint[];
}

const hasEnded = (now: Date) => (span: Claim) => span.effectiveUntil !== null && span.effectiveUntil <= now;
const beginsLater = (now: Date) => (span: Claim) => span.effectiveFrom !== null && span.effectiveFrom > now;

/** Returns the latest end, or null if a span has no end or there are no spans. */
function latestEnd(spans: Claim[]): Date | null {
  const ends = spans.map(({ effectiveUntil }) => effectiveUntil?.getTime() ?? Number.POSITIVE_INFINITY);
  const latest = Math.max(...ends);
  return Number.isFinite(latest) ? new Date(latest) : null;
}

/** Returns the earliest start, or null if there are no spans. All spans must have a start. */
function earliestBeginning(spans: Claim[]): Date | null {
  const beginnings = spans.flatMap(({ effectiveFrom }) => effectiveFrom?.getTime() ?? []);
  return beginnings.length === 0 ? null : new Date(Math.min(...beginnings));
}

function isBefore(from: Date | null, until: Date | null): boolean {
  return from === null || until === null || from < until;
}

/** Starts a claim without a start at the end of the past spans of its value, if that is before its own end. */
function settledClaim<T extends Claim>(claim: T, existing: Claim[], now: Date): T {
  if (claim.effectiveFrom !== null) return claim;
  const effectiveFrom = latestEnd(existing.filter(hasEnded(now)));
  return isBefore(effectiveFrom, claim.effectiveUntil) ? { ...claim, effectiveFrom } : claim;
}

/** Returns the bounds with which a refused claim would succeed. Undefined for a value that is in use now. */
function hintFor({ value, ...claim }: Claim, clashes: Claim[], now: Date): AliasHint | undefined {
  const ended = clashes.filter(hasEnded(now));
  const later = clashes.filter(beginsLater(now));
  if (ended.length + later.length < clashes.length) return undefined;
  const effectiveFrom = latestEnd(ended);
  const effectiveUntil = earliestBeginning(later);
  if (isBefore(effectiveFrom ?? claim.effectiveFrom, effectiveUntil ?? claim.effectiveUntil))
    return { value, effectiveFrom, effectiveUntil };
  const end = latestEnd(clashes);
  if (end === null || !isBefore(end, claim.effectiveUntil)) return undefined;
  return { value, effectiveFrom: end, effectiveUntil: null };
}

/** Fits claims between the existing spans of their values, as of `now`. */
export function settleClaims<T extends Claim>(claims: T[], existing: Claim[], now: Date): SettledClaims<T> {
  const settled = claims.map((claim) => {
    const overlapping = existing.filter((span) => overlap(span, claim));
    const written = settledClaim(claim, overlapping, now);
    return { claim: written, clashes: overlapping.filter((span) => overlap(span, written)) };
  });
  const refused = settled.filter(({ clashes }) => clashes.length > 0);
  const hints = refused.flatMap(({ claim, clashes }) => hintFor(claim, clashes, now) ?? []);
  return {
    claims: settled.map(({ claim }) => claim),
    clashes: existing.filter((span) => refused.some(({ clashes }) => clashes.includes(span))),
    hints: hints.length === refused.length ? hints : [],
  };
}

/** Returns the id of a span. It is derived from the parts that never change: account, value and start. */
export function spanIdOf(account: { nodeId: string }, { value, effectiveFrom }: AliasSpan): string {
  return toTypeId('Alias', uuidOf([account.nodeId, value, effectiveFrom]));
}

export interface AliasClash {
  value: string;
  accountId: string;
}

/** The bounds with which an alias is accepted. null: keep the bound as it is. */
export interface AliasHint {
  value: string;
  effectiveFrom: Date | null;
  effectiveUntil: Date | null;
}

function hintText({ value, effectiveFrom, effectiveUntil }: AliasHint): string {
  const bounds = [
    ...(effectiveFrom === null ? [] : [`an effectiveFrom of ${effectiveFrom.toISOString()} or later`]),
    ...(effectiveUntil === null ? [] : [`an effectiveUntil of ${effectiveUntil.toISOString()} or earlier`]),
  ];
  return ` Give ${JSON.stringify(value)} ${bounds.join(' and ')}.`;
}

export class AliasTakenError extends AppError {
  readonly code = 'ALIAS_TAKEN';
  readonly clashes: AliasClash[];

  /** @param hints the bounds with which all aliases would be accepted, if there are any */
  constructor(clashes: AliasClash[], hints: AliasHint[] = []) {
    const holders = [
      ...new Set(clashes.map((c) => `${JSON.stringify(c.value)} (account ${JSON.stringify(c.accountId)})`)),
    ];
    super(`In use for some or all of that time: ${holders.join(', ')}.${hints.map(hintText).join('')}`);
    this.clashes = clashes
      .map(({ value, accountId }) => ({ value, accountId }))
      .filter(
        (clash, index, all) =>
          index === all.findIndex((c) => c.value === clash.value && c.accountId === clash.accountId),
      );
  }
}

interface Recorded {
  createdAt: Date;
  /** Missing in results that an earlier version recorded for idempotency keys. */
  ordinal?: number;
  value: string;
}

/** Sorts aliases as `Account.aliases` lists them: in the order in which they were sent. */
export function inAliasOrder<T extends Recorded>(aliases: T[]): T[] {
  return aliases.toSorted(
    (a, b) =>
      a.createdAt.getTime() - b.createdAt.getTime() ||
      (a.ordinal ?? 0) - (b.ordinal ?? 0) ||
      byBytes(a.value, b.value),
  );
}
