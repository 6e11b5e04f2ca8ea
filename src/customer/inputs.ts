import { FirstAccountInput } from '../account/inputs.ts';
import { AddressInput } from '../address/inputs.ts';
import { builder } from '../graphql/builder.ts';
import { describeRule } from '../graphql/describe.ts';
import { describedEnum } from '../graphql/errors.ts';
import { expectedVersion, metadata } from '../lib/fields.ts';
import { commonFilterFields, orderInput } from '../listing/inputs.ts';
import { SettingInput } from '../setting/inputs.ts';
import { maxSettingsPerCall } from '../setting/rules.ts';
import { entityFields, neverCleared } from '../writing/graphql.ts';
import { idempotencyKey } from '../writing/rules.ts';
import * as rules from './rules.ts';

export const CustomerStatus = describedEnum<rules.CustomerStatus>(
  'CustomerStatus',
  'Where a customer is in its life.',
  rules.statuses,
);

export const CreateCustomerInput = builder.inputType('CreateCustomerInput', {
  description: 'A new customer, perhaps with its first account.',
  fields: (t) => ({
    id: t.id({ required: true, description: describeRule(rules.id) }),
    name: t.string({ required: true, description: describeRule(rules.name) }),
    primaryEmail: t.string({ required: true, description: describeRule(rules.primaryEmail) }),
    address: t.field({
      type: AddressInput,
      required: true,
      description: 'Where the customer is; at least one part must not be empty.',
    }),
    settings: t.field({
      type: [SettingInput],
      description: `Settings of the customer, at most ${maxSettingsPerCall} here; more with \`putSettings\`.`,
    }),
    metadata: t.field({ type: 'JSONObject', description: describeRule(metadata) }),
    account: t.field({
      type: FirstAccountInput,
      description: 'The first account of the customer, created with it or not at all.',
    }),
    idempotencyKey: t.string({ description: describeRule(idempotencyKey) }),
  }),
});

export const UpdateCustomerInput = builder.inputType('UpdateCustomerInput', {
  description:
    'Changes of a customer. For every field: leaving it out keeps it, `null` clears it, a value sets it. Settings have mutations of their own.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The id of the customer to change.' }),
    name: t.string({ description: describeRule(rules.name, neverCleared) }),
    primaryEmail: t.string({ description: describeRule(rules.primaryEmail, neverCleared) }),
    address: t.field({
      type: AddressInput,
      description: `Where the customer is; replaced as a whole. ${neverCleared}`,
    }),
    metadata: t.field({
      type: 'JSONObject',
      description: describeRule(metadata, 'Replaced as a whole; `null`: none.'),
    }),
    expectedVersion: t.int({ description: describeRule(expectedVersion) }),
    idempotencyKey: t.string({ description: describeRule(idempotencyKey) }),
  }),
});

export const ArchiveCustomerInput = builder.inputType('ArchiveCustomerInput', {
  description: 'The customer to put away.',
  fields: (t) => entityFields(t, 'The id of the customer.'),
});

export const RestoreCustomerInput = builder.inputType('RestoreCustomerInput', {
  description: 'The customer to bring back.',
  fields: (t) => entityFields(t, 'The id of the customer.'),
});

export const CustomerFilter = builder.inputType('CustomerFilter', {
  description: 'Which customers a list holds: those that meet every condition given.',
  fields: (t) => ({
    ...commonFilterFields(t, 'the id, the name and the primary email'),
    status: t.field({ type: [CustomerStatus], description: describeRule(rules.statusConditions) }),
  }),
});

export const CustomerOrder = orderInput('Customer');
