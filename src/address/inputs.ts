import { builder } from '../graphql/builder.ts';
import { describeRule } from '../graphql/describe.ts';
import { address, fields } from './rules.ts';

export const AddressInput = builder.inputType('AddressInput', {
  description: describeRule(
    address,
    'An empty string counts as absent. An address is always replaced as a whole.',
  ),
  fields: (t) => ({
    phoneNumber: t.string({ description: describeRule(fields.phoneNumber) }),
    line1: t.string({ description: describeRule(fields.line1) }),
    line2: t.string({ description: describeRule(fields.line2) }),
    postalCode: t.string({ description: describeRule(fields.postalCode) }),
    city: t.string({ description: describeRule(fields.city) }),
    state: t.string({ description: describeRule(fields.state) }),
    country: t.string({ description: describeRule(fields.country) }),
  }),
});
