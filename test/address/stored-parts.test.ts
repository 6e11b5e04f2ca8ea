import { describe, expect, it } from 'vitest';
import { createAccount, createCustomer, tenantWithCustomer } from '../support/fixtures.ts';
import { readAccount } from '../support/reads.ts';
import { useService } from '../support/service.ts';

const service = useService();

const german = {
  phoneNumber: '+49 (30) 1234-5/6',
  line1: 'Straße 1',
  line2: 'Hof',
  postalCode: '10115',
  city: 'Berlin',
  state: 'BE',
  country: 'DE',
};

describe('the address of an account', () => {
  it('has only the present parts, and is null without any', async () => {
    const client = await tenantWithCustomer(service);
    const stored = async (id: string, address: object) => {
      const created = await createAccount(client, { id, address });
      const read = await readAccount(client, id);
      expect(read).toEqual(created);
      return read.address;
    };
    const absent = { phoneNumber: null, line1: null, line2: null, postalCode: null, city: null, state: null };
    expect(await stored('A1', { country: 'DE', city: '' })).toEqual({ ...absent, country: 'DE' });
    expect(await stored('A2', {})).toBeNull();
    expect(await stored('A3', { line1: '', country: '', phoneNumber: null })).toBeNull();
  });
});

describe('billingAddress of a customer', () => {
  it.each([
    [german, 'Straße 1, Hof, 10115, Berlin, BE, DE'],
    [{ phoneNumber: '12', line1: 'Line', line2: '', country: 'US' }, 'Line, US'],
    [{ phoneNumber: '12' }, null],
  ])('is the address %j on one line', async (address, billingAddress) => {
    const client = await service.newTenant();
    expect(await createCustomer(client, { address })).toMatchObject({ billingAddress });
  });
});
