import { builder } from '../graphql/builder.ts';
import { describeRule } from '../graphql/describe.ts';
import { type Address as AddressShape, address, fields } from './rules.ts';

export const Address = builder.objectRef<AddressShape>('Address').implement({
  description: describeRule(address, 'Part of its account or customer, without an identity of its own.'),
  fields: (t) => ({
    phoneNumber: t.exposeString('phoneNumber', {
      nullable: true,
      description: describeRule(fields.phoneNumber, '`null` if unknown.'),
    }),
    line1: t.exposeString('line1', {
      nullable: true,
      description: describeRule(fields.line1, '`null` if unknown.'),
    }),
    line2: t.exposeString('line2', {
      nullable: true,
      description: describeRule(fields.line2, '`null` if unknown.'),
    }),
    postalCode: t.exposeString('postalCode', {
      nullable: true,
      description: describeRule(fields.postalCode, '`null` if unknown.'),
    }),
    city: t.exposeString('city', {
      nullable: true,
      description: describeRule(fields.city, '`null` if unknown.'),
    }),
    state: t.exposeString('state', {
      nullable: true,
      description: describeRule(fields.state, '`null` if unknown.'),
    }),
    country: t.exposeString('country', {
      nullable: true,
      description: describeRule(fields.country, '`null` if unknown.'),
    }),
  }),
});
