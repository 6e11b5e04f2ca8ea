import { builder } from '../graphql/builder.ts';
import { describeRule } from '../graphql/describe.ts';
import { type Address as AddressShape, address, fields } from './rules.ts';

export const Address = builder.objectRef<AddressShape>('Address').implement({
  description: describeRule(address, 'A value of its account or customer; it has no identity of its own.'),
  fields: (t) => ({
    phoneNumber: t.exposeString('phoneNumber', {
      nullable: true,
      description: describeRule(fields.phoneNumber, '`null` when it is not known.'),
    }),
    line1: t.exposeString('line1', {
      nullable: true,
      description: describeRule(fields.line1, '`null` when it is not known.'),
    }),
    line2: t.exposeString('line2', {
      nullable: true,
      description: describeRule(fields.line2, '`null` when it is not known.'),
    }),
    postalCode: t.exposeString('postalCode', {
      nullable: true,
      description: describeRule(fields.postalCode, '`null` when it is not known.'),
    }),
    city: t.exposeString('city', {
      nullable: true,
      description: describeRule(fields.city, '`null` when it is not known.'),
    }),
    state: t.exposeString('state', {
      nullable: true,
      description: describeRule(fields.state, '`null` when it is not known.'),
    }),
    country: t.exposeString('country', {
      nullable: true,
      description: describeRule(fields.country, '`null` when it is not known.'),
    }),
  }),
});
