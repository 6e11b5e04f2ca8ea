import { country } from '../lib/fields.ts';
import { lineText, report } from '../lib/rule.ts';
import { z } from '../lib/zod.ts';

/** Replaces the spaces and hyphens of word processors, and drops the marks of direction that phones add. */
function plainPhone(value: string): string {
  return value
    .replaceAll(/[\p{Zs}]/gu, ' ')
    .replaceAll(/[\u2010-\u2015\u2212]/g, '-')
    .replaceAll(/[\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069]/g, '')
    .trim();
}

export const phoneNumber = lineText({ max: 50 }, plainPhone)
  .check((payload) => {
    const { value } = payload;
    // Control characters are already reported.
    if (/[^\p{L}\p{M}\p{Nd}\p{Cc} +()\-./#*,;:=&]/u.test(value)) {
      const message = 'must consist of digits, letters, spaces and the characters + ( ) - . / # * , ; : = &';
      report(payload, 'INVALID_FORMAT', message);
    } else if (value !== '' && (value.match(/\p{Nd}/gu) ?? []).length < 2)
      report(payload, 'INVALID_FORMAT', 'must have at least two digits');
  })
  .describe(
    'A phone number in any common notation, with letters and extensions. At least two digits. Special spaces and hyphens become plain ones.',
  );

export const line1 = lineText({ max: 255 }).describe(
  'The street and number, or the first line of the address.',
);
export const line2 = lineText({ max: 255 }).describe('Suite, floor or building.');
export const postalCode = lineText({ max: 20 }).describe('Postal or ZIP code.');
export const city = lineText({ max: 255 }).describe('City or town.');
export const state = lineText({ max: 255 }).describe('State, province or region.');

export const fields = { phoneNumber, line1, line2, postalCode, city, state, country };

export type AddressField = keyof typeof fields;
export type Address = { [field in AddressField]: string | null };

export const addressFields = Object.keys(fields) as AddressField[];

/** An address in an input. All parts are optional, and a blank one counts as absent. */
export const address = z
  .object({
    phoneNumber: phoneNumber.nullish(),
    line1: line1.nullish(),
    line2: line2.nullish(),
    postalCode: postalCode.nullish(),
    city: city.nullish(),
    state: state.nullish(),
    country: country.nullish(),
  })
  .describe('A postal address with a phone number. An empty address is `null`.');

export type AddressInput = z.output<typeof address>;

export type AddressColumns = { [field in AddressField as `address${Capitalize<field>}`]: string | null };

function columnOf(field: AddressField): keyof AddressColumns {
  return `address${field.charAt(0).toUpperCase()}${field.slice(1)}` as keyof AddressColumns;
}

const columns = addressFields.map((field) => [field, columnOf(field)] as const);

/** Returns the column values of an address. A blank part counts as absent. */
export function toAddressColumns(input: AddressInput | null | undefined): AddressColumns {
  const row: Partial<AddressColumns> = {};
  for (const [field, column] of columns) row[column] = input?.[field] || null;
  return row as AddressColumns;
}

/** Returns the address of a row, or null if all parts are absent. */
export function addressOf(row: AddressColumns): Address | null {
  if (columns.every(([, column]) => row[column] === null)) return null;
  const found: Partial<Address> = {};
  for (const [field, column] of columns) found[field] = row[column];
  return found as Address;
}

/** Returns the address of a row on one line, without absent parts and the phone number. */
export function billingAddressOf(row: AddressColumns): string | null {
  const { addressLine1, addressLine2, addressPostalCode, addressCity, addressState, addressCountry } = row;
  const parts = [addressLine1, addressLine2, addressPostalCode, addressCity, addressState, addressCountry];
  return parts.filter((part) => part !== null).join(', ') || null;
}
