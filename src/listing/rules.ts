import { country, instant, metadataKeyLength, metadataValueLength } from '../lib/fields.ts';
import { report, text, trimmedText } from '../lib/rule.ts';
import { z } from '../lib/zod.ts';

export const orderFields = {
  UPDATED_AT: 'The time of the last change.',
  CREATED_AT: 'The time of creation.',
  NAME: 'The name, by code points: upper case before lower case.',
  ID: 'The id, by code points.',
} as const;

export type OrderField = keyof typeof orderFields;

export const directions = {
  ASC: 'Smallest or earliest first.',
  DESC: 'Largest or latest first.',
} as const;

export type Direction = keyof typeof directions;

export const search = trimmedText({ min: 1, max: 100 })
  .check((payload) => {
    if (/\p{Cc}/u.test(payload.value.replaceAll('\u0000', '')))
      report(payload, 'INVALID_FORMAT', 'must not contain control characters');
  })
  .describe(
    'Matches entities that have every word of the text. A word matches at the beginning of any word and, from three characters, anywhere; Chinese, Japanese and Korean text matches anywhere. Ignores case, accents, apostrophes and the width of characters.',
  );

export const metadataEntry = z
  .object({
    key: text(metadataKeyLength).describe('The key, exactly.'),
    value: text(metadataValueLength).describe('The value, exactly.'),
  })
  .describe('A key of the metadata and its value.');

export const range = z
  .object({ from: instant.nullish(), until: instant.nullish() })
  .check((payload) => {
    const { from, until } = payload.value;
    if (from && until && from >= until)
      report(payload, 'INVALID_VALUE', 'must be later than from', ['until']);
  })
  .describe('A span of time.');

export const countryFilter = country.check((payload) => {
  if (payload.value === '') report(payload, 'REQUIRED', 'must not be empty');
});

export function statusFilter<Status extends string>(words: [Status]) {
  return z
    .array(z.enum(words))
    .min(1)
    .max(words.length)
    .transform((values) => [...new Set(values)])
    .describe('Matches any of these statuses. Default: all except `ARCHIVED`.');
}

/** The conditions that lists of accounts and of customers share. */
export const commonFilter = {
  metadata: metadataEntry.nullish(),
  country: countryFilter.nullish(),
  createdAt: range.nullish(),
  updatedAt: range.nullish(),
  search: search.nullish(),
};

export type CommonFilter = z.output<z.ZodObject<typeof commonFilter>> & {
  status?: string[] | null | undefined;
};
