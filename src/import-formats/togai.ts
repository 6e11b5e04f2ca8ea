import { type ImportRecord, toRecord } from './record.ts';
import { type Fields, isObject, present, refusal } from './values.ts';

/** What Togai's responses show for an alias without a start or an end. */
const placeholders = [Date.parse('1970-01-01T00:00:00Z'), Date.parse('9999-01-01T00:00:00Z')];

function isPlaceholder(value: unknown): boolean {
  return placeholders.includes(Date.parse(String(value)));
}

function withoutPlaceholders(alias: unknown): unknown {
  if (!isObject(alias)) return alias;
  const { effectiveFrom, effectiveUntil, ...rest } = alias;
  const bounds = Object.entries({ effectiveFrom, effectiveUntil }).filter(
    ([, value]) => !isPlaceholder(value),
  );
  return { ...rest, ...present(Object.fromEntries(bounds)) };
}

function listed(value: unknown, change: (element: unknown) => unknown): unknown {
  return Array.isArray(value) ? value.map(change) : value;
}

function accountOf(answer: Fields): ImportRecord {
  const { togaiAccountId: _, togaiCustomerId: __, invoiceGroupDetails: ___, ...known } = answer;
  const { aliases, accountAliases, createdAt: ____, updatedAt: _____, ...fields } = known;
  const names = listed(aliases, (one) => (isObject(one) && Object.hasOwn(one, 'alias') ? one.alias : one));
  const datedAliases = listed(accountAliases, withoutPlaceholders);
  return toRecord('account', { ...fields, ...present({ aliases: names, datedAliases }) });
}

function customerOf(answer: Fields): ImportRecord {
  const {
    togaiCustomerId: _,
    billingAddress: __,
    createdAt: ___,
    updatedAt: ____,
    status,
    ...fields
  } = answer;
  if (status === 'ARCHIVED')
    throw refusal(
      ['status'],
      'INVALID_VALUE',
      'must not be ARCHIVED. Leave archived customers out of the file',
    );
  return toRecord('customer', fields);
}

/** Returns the record of an account or customer as Togai's API returns it. Throws InvalidInputError. */
export function togaiRecords(answer: Fields): ImportRecord[] {
  const isAccount = Object.hasOwn(answer, 'togaiAccountId') || Object.hasOwn(answer, 'customerId');
  return [isAccount ? accountOf(answer) : customerOf(answer)];
}
