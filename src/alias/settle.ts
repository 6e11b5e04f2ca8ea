import type { AliasHint } from '../lib/errors.ts';
import { type AliasSpan, overlap } from './rules.ts';

/** A span of a value, and the account that claims or holds it. */
export interface Claim extends AliasSpan {
  accountId: string;
}

/** Claims as they can be written beside the spans that exist. */
export interface SettledClaims<T extends Claim> {
  claims: T[];
  /** The existing spans that overlap the claims nevertheless. */
  clashes: Claim[];
  /** One hint for each refused claim, or none at all if one of them cannot be helped. */
  hints: AliasHint[];
}

const hasEnded = (now: Date) => (span: Claim) => span.effectiveUntil !== null && span.effectiveUntil <= now;
const beginsLater = (now: Date) => (span: Claim) => span.effectiveFrom !== null && span.effectiveFrom > now;

/** The latest end; null if one of the spans has no end, or if there are no spans. */
function latestEnd(spans: Claim[]): Date | null {
  const ends = spans.map(({ effectiveUntil }) => effectiveUntil?.getTime() ?? Number.POSITIVE_INFINITY);
  const latest = Math.max(...ends);
  return Number.isFinite(latest) ? new Date(latest) : null;
}

/** The earliest beginning of spans that all have one; null if there are no spans. */
function earliestBeginning(spans: Claim[]): Date | null {
  const beginnings = spans.flatMap(({ effectiveFrom }) => effectiveFrom?.getTime() ?? []);
  return beginnings.length === 0 ? null : new Date(Math.min(...beginnings));
}

function isBefore(from: Date | null, until: Date | null): boolean {
  return from === null || until === null || from < until;
}

/** A claim without a beginning begins where the ended spans leave its value free, if that is before its end. */
function settledClaim<T extends Claim>(claim: T, existing: Claim[], now: Date): T {
  if (claim.effectiveFrom !== null) return claim;
  const effectiveFrom = latestEnd(existing.filter(hasEnded(now)));
  return isBefore(effectiveFrom, claim.effectiveUntil) ? { ...claim, effectiveFrom } : claim;
}

/** The bounds with which a refused claim would be accepted. No value that is in use now is worth a hint. */
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

/** Settles claims beside the existing spans of their values, as of `now`. */
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
