import { entityReference } from '../lib/fields.ts';
import { identifier, lineText, maxLength, neverCleared, report, text, unique } from '../lib/rule.ts';
import { byBytes } from '../lib/text-order.ts';
import { z } from '../lib/zod.ts';
import { idempotencyKey, writeOptions } from '../writing/rules.ts';

export const maxSettingsPerCall = 10;
export const maxSettingsPerOwner = 100;

/** The types of owners. */
export const ownerTypes = ['ACCOUNT', 'CUSTOMER'] as const;
export type OwnerType = (typeof ownerTypes)[number];

export const dataTypes = {
  STRING: 'Any text.',
  NUMERIC: 'A decimal number, such as `-12.50`, `.5` or `1e3`.',
  JSON: 'Any JSON text.',
  JSON_LOGIC: 'A JsonLogic rule: a JSON object with one key, its operator.',
} as const;

export type SettingDataType = keyof typeof dataTypes;

export const id = identifier({ min: 1, max: 50 }).describe(
  "The setting's id in its namespace, chosen by you.",
);
export const namespace = identifier({ min: 1, max: 50 }).describe(
  "The setting's namespace, such as `USER`. The namespace and id identify a setting of its owner.",
);
export const name = lineText({ min: 1, max: 255 }).describe("The setting's display name.");
export const dataType = z.enum(Object.keys(dataTypes) as [SettingDataType]).describe('The type of `value`.');
export const value = text({ max: 4096 }).describe('The value as a string. It must be valid for `dataType`.');

/** Longer values are refused for their length only. UTF-16 has at most two units for a character. */
const mostUnits = 2 * maxLength(value);

const decimal = /^[+-]?(\d+(\.\d+)?|\.\d+)([eE][+-]?\d+)?$/;

function parseJson(json: string): { parsed: unknown } | undefined {
  try {
    return { parsed: JSON.parse(json) };
  } catch {
    return undefined;
  }
}

function isOneOperator(parsed: unknown): boolean {
  return (
    typeof parsed === 'object' &&
    parsed !== null &&
    !Array.isArray(parsed) &&
    Object.keys(parsed).length === 1
  );
}

/** Whether an object anywhere in valid JSON repeats a key. JSON.parse would keep only the last one. */
function repeatsKey(json: string): boolean {
  const open: Set<string>[] = [];
  for (const [token, colon] of json.matchAll(/[{}[\]]|"(?:[^"\\]|\\.)*"(?=\s*(:?))/g)) {
    if (token === '{' || token === '[') open.push(new Set());
    else if (token === '}' || token === ']') open.pop();
    else if (colon === ':') {
      const key: string = JSON.parse(token);
      if (open.at(-1)?.has(key)) return true;
      open.at(-1)?.add(key);
    }
  }
  return false;
}

/** Returns the problem of a value of this type as the end of a sentence, or undefined. */
function mismatch(dataType: SettingDataType, value: string): string | undefined {
  if (dataType === 'STRING' || value.length > mostUnits) return undefined;
  if (dataType === 'NUMERIC') {
    if (!decimal.test(value)) return 'must be a decimal number, because dataType is NUMERIC';
    return Number.isFinite(Number(value)) ? undefined : 'is too large: NUMERIC values go up to 1.7e308';
  }
  const json = parseJson(value);
  if (json === undefined) return `must be JSON, because dataType is ${dataType}`;
  if (dataType === 'JSON') return undefined;
  if (!isOneOperator(json.parsed)) {
    return 'must be a JSON object with one key, the operator, because dataType is JSON_LOGIC';
  }
  return repeatsKey(value) ? 'must not repeat a key, because dataType is JSON_LOGIC' : undefined;
}

/** Checks that a value is valid for its type. */
export function checkValue(payload: z.core.ParsePayload<{ dataType: SettingDataType; value: string }>): void {
  const problem = mismatch(payload.value.dataType, payload.value.value);
  if (problem !== undefined) report(payload, 'INVALID_FORMAT', problem, ['value']);
}

export const setting = z.object({ id, namespace, name, dataType, value }).check(checkValue);

export type SettingInput = z.output<typeof setting>;

/** Returns the key of a setting among those of its owner. */
export function settingKey({ namespace, id }: { namespace: string; id: string }): string {
  return JSON.stringify([namespace, id]);
}

export const settings = z
  .array(setting)
  .max(maxSettingsPerCall)
  .check(unique((one) => settingKey(one), 'the namespace and id'))
  .describe('The initial settings.');

const owner = {
  accountId: entityReference.nullish(),
  customerId: entityReference.nullish(),
  ...writeOptions,
};

function checkOwner(payload: z.core.ParsePayload<{ accountId?: unknown; customerId?: unknown }>): void {
  const { accountId, customerId } = payload.value;
  const count = [accountId, customerId].filter((id) => id !== null && id !== undefined).length;
  if (count === 0)
    report(payload, 'REQUIRED', 'is required, or customerId: settings have one owner', ['accountId']);
  if (count === 2)
    report(payload, 'INVALID_VALUE', 'must not be combined with accountId: settings have one owner', [
      'customerId',
    ]);
}

const perOwner = z.array(setting).min(1).max(maxSettingsPerOwner);

/** Changes of one setting. An absent field keeps its value. */
export const changeSettingInput = z.object({
  ownerType: z.enum(ownerTypes).describe('Whether an account or a customer owns it.'),
  ownerId: entityReference.describe('The id of its owner.'),
  namespace,
  id,
  name: neverCleared(name),
  dataType: neverCleared(dataType),
  value: neverCleared(value),
  idempotencyKey: idempotencyKey.nullish(),
});

export type ChangeSettingInput = z.output<typeof changeSettingInput>;

export const putSettingsInput = z
  .object({ ...owner, settings: perOwner.check(unique((one) => settingKey(one), 'the namespace and id')) })
  .check(checkOwner);

export type PutSettingsInput = z.output<typeof putSettingsInput>;

const key = z.object({ namespace, id });

export const removeSettingsInput = z
  .object({
    ...owner,
    settings: z
      .array(key)
      .min(1)
      .max(maxSettingsPerOwner)
      .check(unique((one) => settingKey(one), 'the namespace and id')),
  })
  .check(checkOwner);

export type RemoveSettingsInput = z.output<typeof removeSettingsInput>;

/** The parts that identify a setting in its tenant. */
export interface FullId {
  namespace: string;
  id: string;
  ownerType: OwnerType;
  ownerId: string;
}

/** Escapes a part of a full id: `~1` for a dot, `~0` for a tilde, as JSON Pointer does (RFC 6901). */
function escaped(part: string): string {
  return part.replaceAll('~', '~0').replaceAll('.', '~1');
}

function unescaped(part: string): string {
  return part.replaceAll('~1', '.').replaceAll('~0', '~');
}

/** Returns `setting.<NAMESPACE>.<id>.<ACCOUNT|CUSTOMER>.<owner id>`. */
export function fullIdOf({ namespace, id, ownerType, ownerId }: FullId): string {
  return `setting.${[namespace, id, ownerType, ownerId].map(escaped).join('.')}`;
}

function isOwnerType(word: string | undefined): word is OwnerType {
  return ownerTypes.some((type) => type === word);
}

/** The most UTF-16 units of a part: two for each character. */
const maxPartUnits = 2 * maxLength(id);
/** The most UTF-16 units of a full id. An escaped character has two. */
const maxFullIdUnits = 'setting....CUSTOMER'.length + 3 * maxPartUnits;

const isPart = (rule: z.ZodType, part: string) => part.length <= maxPartUnits && rule.safeParse(part).success;

function isValid(named: FullId): boolean {
  return isPart(namespace, named.namespace) && isPart(id, named.id);
}

/** Returns the settings that a full id can name: one, or each way to split it if its parts have unescaped dots. */
export function readFullId(text: string): FullId[] {
  const [prefix, ...words] = text.split('.');
  if (prefix !== 'setting' || text.length > maxFullIdUnits) return [];
  const read = (from: number, until: number) => unescaped(words.slice(from, until).join('.'));
  return words.flatMap((ownerType, at) => {
    if (!isOwnerType(ownerType)) return [];
    const ownerId = read(at + 1, words.length);
    if (!isPart(entityReference, ownerId)) return [];
    const cuts = Array.from({ length: Math.max(at - 1, 0) }, (_, index) => index + 1);
    const meant = cuts.map((cut) => ({ namespace: read(0, cut), id: read(cut, at), ownerType, ownerId }));
    return meant.filter(isValid);
  });
}

/** Sorts settings by namespace, then id. */
export function inSettingOrder<T extends { namespace: string; id: string }>(settings: T[]): T[] {
  return settings.toSorted((a, b) => byBytes(a.namespace, b.namespace) || byBytes(a.id, b.id));
}
