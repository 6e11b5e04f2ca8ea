import type { IssueCode } from './errors.ts';
import { z } from './zod.ts';

/** Counts Unicode code points, like varchar(n) and JSON Schema's maxLength, and unlike String.length. */
function countCharacters(value: string): number {
  let count = 0;
  for (const _ of value) count += 1;
  return count;
}

type Payload<T> = z.core.ParsePayload<T>;

/** Reports a broken rule with an IssueCode. The message continues a sentence that starts with the field's name. */
export function report<T>(
  payload: Payload<T>,
  code: IssueCode,
  message: string,
  path: PropertyKey[] = [],
): void {
  payload.issues.push({
    code: 'custom',
    input: payload.value,
    path,
    message,
    params: { code },
    continue: true,
  });
}

/** Whether PostgreSQL can store a text. If not, nothing has this text as its name. */
export function isStorable(value: string): boolean {
  return value.isWellFormed() && !value.includes('\u0000');
}

function checkStorable(payload: Payload<string>): void {
  if (payload.value.includes('\u0000'))
    report(payload, 'INVALID_FORMAT', 'must not contain the character U+0000');
  if (!payload.value.isWellFormed())
    report(payload, 'INVALID_FORMAT', 'must be well-formed Unicode: it contains half of a surrogate pair');
}

function checkLength({ min = 0, max }: TextLimits) {
  const limits = min === 0 ? `at most ${max}` : `${min} to ${max}`;
  return (payload: Payload<string>): void => {
    const length = countCharacters(payload.value);
    if (length < min) report(payload, 'TOO_SHORT', `must have ${limits} characters, has ${length}`);
    if (length > max) report(payload, 'TOO_LONG', `must have ${limits} characters, has ${length}`);
  };
}

export interface TextLimits {
  min?: number;
  max: number;
}

/** Text that PostgreSQL can store. Limits are in characters (Unicode code points). */
export function text(limits: TextLimits, base: z.ZodString = z.string()) {
  return base
    .check(checkStorable, checkLength(limits))
    .meta({ ...(limits.min ? { minLength: limits.min } : {}), maxLength: limits.max });
}

/** Text that is trimmed before its limits are checked. */
export function trimmedText(limits: TextLimits) {
  return text(limits, z.string().trim());
}

/** A character that shows nothing, or only moves others. */
const hidden = /[\p{Default_Ignorable_Code_Point}\p{Zl}\p{Zp}\ufff9-\ufffb\u2800]/u;
/** Joiners, selectors and tags that Persian, Indic scripts and emoji need. */
const joining = /\u200c|\u200d|[\ufe00-\ufe0f]|[\u{e0020}-\u{e007f}]|[\u{e0100}-\u{e01ef}]/gu;
const control = /\p{Cc}/u;
const override = /[\u202a-\u202e\u2066-\u2069]/u;

/** Returns whether a text shows nothing. */
export function isBlank(value: string): boolean {
  return value.replaceAll(/[\p{White_Space}\p{Default_Ignorable_Code_Point}\u2800]/gu, '') === '';
}

function checkControls(payload: Payload<string>): void {
  if (control.test(payload.value.replaceAll('\u0000', '')))
    report(payload, 'INVALID_FORMAT', 'must not contain control characters');
}

/** A line of text for people: trimmed, empty if it is blank, and then changed by `fold`. */
export function lineText(limits: TextLimits, fold = (value: string) => value) {
  const line = z.string().overwrite((value) => (isBlank(value) ? '' : fold(value.trim())));
  return text(limits, line).check((payload) => {
    checkControls(payload);
    if (/[\p{Zl}\p{Zp}]/u.test(payload.value))
      report(payload, 'INVALID_FORMAT', 'must not contain line breaks');
    if (override.test(payload.value))
      report(payload, 'INVALID_FORMAT', 'must not contain bidirectional overrides');
  });
}

function checkEnds(payload: Payload<string>): void {
  if (payload.value !== payload.value.trim())
    report(payload, 'INVALID_FORMAT', 'must not begin or end with white space');
}

/** A name that machines compare. It is refused, not corrected, if it has another spelling that looks the same. */
export function identifier(limits: TextLimits) {
  return text(limits).check((payload) => {
    const { value } = payload;
    checkEnds(payload);
    checkControls(payload);
    if (value.isWellFormed() && value !== value.normalize('NFC'))
      report(payload, 'INVALID_FORMAT', 'must be in Unicode normal form C (NFC)');
    if (hidden.test(value.replaceAll(joining, '')))
      report(payload, 'INVALID_FORMAT', 'must not contain invisible characters');
  });
}

/** A name of something that exists, which an earlier version may have accepted. It is normalised to NFC. */
export function reference(limits: TextLimits) {
  const normal = z.string().overwrite((value) => value.normalize('NFC'));
  return text(limits, normal).check(checkEnds, checkControls);
}

/** Refuses elements with the same key. Elements whose key is undefined are never equal. */
export function unique<T>(keyOf: (element: T) => string | undefined, what: string) {
  return (payload: Payload<T[]>): void => {
    const firstAt = new Map<string, number>();
    payload.value.forEach((element, index) => {
      const key = keyOf(element);
      if (key === undefined) return;
      const first = firstAt.get(key);
      if (first === undefined) firstAt.set(key, index);
      else report(payload, 'DUPLICATE', `repeats ${what} of element ${first}`, [index]);
    });
  };
}

/** A field of an update that can be absent, which keeps its value, but not null. */
export function neverCleared<T extends z.ZodType>(rule: T) {
  return rule.nullish().check((payload) => {
    if (payload.value === null)
      report(payload, 'REQUIRED', 'must not be null; leave it out to keep its value');
  });
}

/** Returns the maximum length of a rule in characters. Columns take their length from it. */
export function maxLength(rule: z.ZodType): number {
  const limit = jsonSchemaOf(rule).maxLength;
  if (limit === undefined) throw new Error('This rule has no maximum length.');
  return limit;
}

/** Returns a rule as JSON Schema, from which columns, GraphQL descriptions and OpenAPI take its limits. */
export function jsonSchemaOf(rule: z.ZodType): z.core.JSONSchema.BaseSchema {
  return z.toJSONSchema(rule, { io: 'input', unrepresentable: 'any' });
}
