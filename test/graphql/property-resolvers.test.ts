import { defaultFieldResolver, type GraphQLObjectType, type GraphQLResolveInfo } from 'graphql';
import { describe, expect, it } from 'vitest';
import { buildSchema } from '../../src/schema.ts';

const schema = buildSchema();
const fieldsOf = (type: string) => (schema.getType(type) as GraphQLObjectType).getFields();

/** The fields that are more than a property of the row. */
const computed: Record<string, string[]> = {
  Account: [
    ...['nodeId', 'invoiceCurrency', 'netTermDays', 'address', 'billingInformation'],
    ...['customer', 'aliases', 'aliasTimeline', 'settings', 'history', 'diff'],
  ],
  Customer: ['nodeId', 'address', 'billingAddress', 'accounts', 'settings', 'history', 'diff'],
  Address: [],
};

describe.each(Object.entries(computed))('the type %s', (type, names) => {
  it("reads its properties with graphql-js's own resolver", () => {
    const own = Object.values(fieldsOf(type)).filter(
      ({ resolve }) => resolve !== undefined && resolve !== defaultFieldResolver,
    );
    expect(own.map(({ name }) => name).toSorted()).toEqual(names.toSorted());
  });
});

it.each(['customer', 'aliases', 'settings'])(
  'Account.%s returns a loaded value without a promise',
  (name) => {
    const loaded = [{ name: 'loaded' }];
    const ctx = {
      now: new Date(),
      viewer: { scopes: ['accounts:read', 'customers:read'] },
      load: () => loaded,
    };
    const account = { id: 'A-1', customerId: 'C-1' };
    expect(fieldsOf('Account')[name]?.resolve?.(account, {}, ctx, {} as GraphQLResolveInfo)).toBe(loaded);
  },
);
