import { expect, it } from 'vitest';
import { presentFields } from '../../src/history/present.ts';

it('returns null and an empty object unchanged', () => {
  expect(presentFields(null)).toBeNull();
  expect(presentFields({})).toEqual({});
});

it('keeps the fields that have their own columns, also null', () => {
  const fields = { name: 'Main', status: 'ACTIVE', netTermDays: null, tags: ['x'], metadata: { a: 'b' } };
  expect(presentFields(fields)).toEqual(fields);
});

it('nests the parts of an address and of the billing information', () => {
  const stored = {
    addressLine1: 'Main Street 1',
    addressLine2: null,
    addressPhoneNumber: '+1',
    addressPostalCode: '1',
    addressCountry: 'US',
    emailRecipients: ['a@b.co'],
    additionalEmailRecipients: [],
  };
  expect(presentFields(stored)).toEqual({
    address: { line1: 'Main Street 1', line2: null, phoneNumber: '+1', postalCode: '1', country: 'US' },
    billingInformation: { emailRecipients: ['a@b.co'], additionalEmailRecipients: [] },
  });
});

it('returns only the parts that are present', () => {
  expect(presentFields({ addressCity: 'Bonn' })).toEqual({ address: { city: 'Bonn' } });
  expect(presentFields({ emailRecipients: null })).toEqual({ billingInformation: { emailRecipients: null } });
});

it('returns null for an open span and drops internal columns', () => {
  const stored = {
    aliases: [
      { value: 'a', effectiveFrom: '-infinity', effectiveUntil: 'infinity', accountId: 'A1', createdAt: 'x' },
      { value: 'b', effectiveFrom: null, effectiveUntil: '2026-01-01T00:00:00.000Z' },
    ],
    settings: [
      {
        tenantId: 1,
        ownerType: 'ACCOUNT',
        ownerId: 'A1',
        namespace: 'n',
        id: 'i',
        name: 'N',
        dataType: 'STRING',
        value: 'v',
      },
    ],
  };
  expect(presentFields(stored)).toEqual({
    aliases: [
      { value: 'a', effectiveFrom: null, effectiveUntil: null },
      { value: 'b', effectiveFrom: null, effectiveUntil: '2026-01-01T00:00:00.000Z' },
    ],
    settings: [{ namespace: 'n', id: 'i', name: 'N', dataType: 'STRING', value: 'v' }],
  });
});
