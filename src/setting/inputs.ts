import { builder } from '../graphql/builder.ts';
import { describeRule } from '../graphql/describe.ts';
import { describedEnum } from '../graphql/errors.ts';
import { writeOptionFields } from '../writing/graphql.ts';
import * as rules from './rules.ts';

export const SettingDataType = describedEnum<rules.SettingDataType>(
  'SettingDataType',
  "The type of a setting's value. Values are validated when they are written.",
  rules.dataTypes,
);

export const SettingInput = builder.inputType('SettingInput', {
  description: 'A setting to store. Its owner has at most one with this namespace and id.',
  fields: (t) => ({
    id: t.id({ required: true, description: describeRule(rules.id) }),
    namespace: t.string({ required: true, description: describeRule(rules.namespace) }),
    name: t.string({ required: true, description: describeRule(rules.name) }),
    dataType: t.field({ type: SettingDataType, required: true, description: describeRule(rules.dataType) }),
    value: t.string({ required: true, description: describeRule(rules.value) }),
  }),
});

const SettingKeyInput = builder.inputType('SettingKeyInput', {
  description: 'The key of a setting of its owner.',
  fields: (t) => ({
    namespace: t.string({ required: true, description: describeRule(rules.namespace) }),
    id: t.id({ required: true, description: describeRule(rules.id) }),
  }),
});

const oneOwner = 'Give either `accountId` or `customerId`.';
const perCall = `1 to ${rules.maxSettingsPerOwner}`;

export const PutSettingsInput = builder.inputType('PutSettingsInput', {
  description: `Settings to add to an account or customer, or to replace. An owner has at most ${rules.maxSettingsPerOwner}.`,
  fields: (t) => ({
    accountId: t.id({ description: `The account that owns them. ${oneOwner}` }),
    customerId: t.id({ description: `The customer that owns them. ${oneOwner}` }),
    settings: t.field({ type: [SettingInput], required: true, description: `The settings, ${perCall}.` }),
    ...writeOptionFields(t),
  }),
});

export const RemoveSettingsInput = builder.inputType('RemoveSettingsInput', {
  description: 'Settings to remove from an account or customer.',
  fields: (t) => ({
    accountId: t.id({ description: `The account that owns them. ${oneOwner}` }),
    customerId: t.id({ description: `The customer that owns them. ${oneOwner}` }),
    settings: t.field({ type: [SettingKeyInput], required: true, description: `The settings, ${perCall}.` }),
    ...writeOptionFields(t),
  }),
});
