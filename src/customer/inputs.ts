import { FirstAccountInput } from '../account/inputs.ts';
import { AddressInput } from '../address/inputs.ts';
import { builder } from '../graphql/builder.ts';
import { describeRule } from '../graphql/describe.ts';
import { describedEnum } from '../graphql/errors.ts';
import { expectedVersion, metadata } from '../lib/fields.ts';
import { commonFilterFields, orderInput } from '../listing/inputs.ts';
import { SettingInput } from '../setting/inputs.ts';
import { maxSettingsPerCall } from '../setting/rules.ts';
import { entityFields, neverCleared, writeOptionFields } from '../writing/graphql.ts';
import * as rules from './rules.ts';

export const CustomerStatus = describedEnum<rules.CustomerStatus>(
  'CustomerStatus',
  'The status decides what can be done with a customer.',
  rules.statuses,
);

export const CreateCustomerInput = builder.inputType('CreateCustomerInput', {
  description: 'A new customer, optionally with its first account.',
  fields: (t) => ({
    id: t.id({ required: true, description: describeRule(rules.id) }),
    name: t.string({ required: true, description: describeRule(rules.name) }),
    primaryEmail: t.string({ required: true, description: describeRule(rules.primaryEmail) }),
    address: t.field({
      type: AddressInput,
      required: true,
      description: "The customer's address. At least one part must not be empty.",
    }),
    settings: t.field({
      type: [SettingInput],
      description: `The customer's settings, at most ${maxSettingsPerCall}. Add more with \`putSettings\`.`,
    }),
    metadata: t.field({ type: 'JSONObject', description: describeRule(metadata) }),
    account: t.field({
      type: FirstAccountInput,
      description: "The customer's first account. Both are created, or neither.",
    }),
    ...writeOptionFields(t),
  }),
});

export const UpdateCustomerInput = builder.inputType('UpdateCustomerInput', {
  description:
    'Changes of a customer. A field that is left out keeps its value, and `null` clears it. Settings have their own mutations.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The id of the customer to change.' }),
    name: t.string({ description: describeRule(rules.name, neverCleared) }),
    primaryEmail: t.string({ description: describeRule(rules.primaryEmail, neverCleared) }),
    address: t.field({
      type: AddressInput,
      description: `The customer's address. Replaced as a whole. ${neverCleared}`,
    }),
    metadata: t.field({
      type: 'JSONObject',
      description: describeRule(metadata, 'Replaced as a whole. `null` removes all.'),
    }),
    expectedVersion: t.int({ description: describeRule(expectedVersion) }),
    ...writeOptionFields(t),
  }),
});

export const ArchiveCustomerInput = builder.inputType('ArchiveCustomerInput', {
  description: 'The customer to archive, optionally at an expected version.',
  fields: (t) => entityFields(t, 'The id of the customer.'),
});

export const RestoreCustomerInput = builder.inputType('RestoreCustomerInput', {
  description: 'The customer to restore, optionally at an expected version.',
  fields: (t) => entityFields(t, 'The id of the customer.'),
});

export const CustomerFilter = builder.inputType('CustomerFilter', {
  description: 'A filter for customers. All conditions must match.',
  fields: (t) => ({
    ...commonFilterFields(t, 'id, name and primary email'),
    status: t.field({ type: [CustomerStatus], description: describeRule(rules.statusConditions) }),
  }),
});

export const CustomerOrder = orderInput('Customer');
