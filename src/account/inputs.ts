import { AddressInput } from '../address/inputs.ts';
import { aliasListDescriptions, DatedAliasInput } from '../alias/inputs.ts';
import { builder } from '../graphql/builder.ts';
import { describeRule } from '../graphql/describe.ts';
import { describedEnum } from '../graphql/errors.ts';
import { expectedVersion, metadata } from '../lib/fields.ts';
import { commonFilterFields, orderInput } from '../listing/inputs.ts';
import { SettingInput } from '../setting/inputs.ts';
import { maxSettingsPerCall } from '../setting/rules.ts';
import { entityFields, neverCleared, writeOptionFields } from '../writing/graphql.ts';
import * as rules from './rules.ts';

export const AccountStatus = describedEnum<rules.AccountStatus>(
  'AccountStatus',
  'The status decides what can be done with an account.',
  rules.statuses,
);

export const BillingInformationInput = builder.inputType('BillingInformationInput', {
  description: describeRule(rules.billingInformation, 'Always replaced as a whole.'),
  fields: (t) => ({
    emailRecipients: t.stringList({ description: describeRule(rules.emailRecipients) }),
    additionalEmailRecipients: t.stringList({ description: describeRule(rules.additionalEmailRecipients) }),
  }),
});

type InputFields = PothosSchemaTypes.InputFieldBuilder<typeof builder.$inferSchemaTypes, 'InputObject'>;

/** Returns the fields of a new account, created alone or with its customer. */
function newAccountFields(t: InputFields) {
  return {
    id: t.id({ required: true, description: describeRule(rules.id) }),
    name: t.string({ required: true, description: describeRule(rules.name) }),
    invoiceCurrency: t.string({
      description: describeRule(rules.invoiceCurrency, "Default: the tenant's base currency."),
    }),
    netTermDays: t.int({
      description: describeRule(rules.netTermDays, "Default: the tenant's net terms."),
    }),
    primaryEmail: t.string({ description: describeRule(rules.primaryEmail) }),
    status: t.field({ type: AccountStatus, description: describeRule(rules.createStatus) }),
    address: t.field({ type: AddressInput, description: 'The address for the invoices of this account.' }),
    billingInformation: t.field({
      type: BillingInformationInput,
      description: describeRule(rules.billingInformation),
    }),
    aliases: t.stringList({ description: aliasListDescriptions.aliases }),
    datedAliases: t.field({ type: [DatedAliasInput], description: aliasListDescriptions.datedAliases }),
    settings: t.field({
      type: [SettingInput],
      description: `The account's settings, at most ${maxSettingsPerCall}. Add more with \`putSettings\`.`,
    }),
    tags: t.stringList({ description: describeRule(rules.tags) }),
    metadata: t.field({ type: 'JSONObject', description: describeRule(metadata) }),
  };
}

export const CreateAccountInput = builder.inputType('CreateAccountInput', {
  description: 'A new account of a customer.',
  fields: (t) => ({
    ...newAccountFields(t),
    customerId: t.id({
      required: true,
      description: 'The id of the customer, which must not be archived. It cannot change later.',
    }),
    ...writeOptionFields(t),
  }),
});

export const FirstAccountInput = builder.inputType('FirstAccountInput', {
  description: 'The account that a new customer begins with.',
  fields: newAccountFields,
});

export const UpdateAccountInput = builder.inputType('UpdateAccountInput', {
  description:
    'Changes of an account. A field that is left out keeps its value, and `null` clears it. Aliases and settings have their own mutations. The customer never changes.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The id of the account to change.' }),
    name: t.string({ description: describeRule(rules.name, neverCleared) }),
    status: t.field({ type: AccountStatus, description: describeRule(rules.updateStatus, neverCleared) }),
    invoiceCurrency: t.string({
      description: describeRule(rules.invoiceCurrency, "`null` selects the tenant's base currency."),
    }),
    netTermDays: t.int({
      description: describeRule(rules.netTermDays, "`null` selects the tenant's net terms."),
    }),
    primaryEmail: t.string({ description: describeRule(rules.primaryEmail) }),
    address: t.field({
      type: AddressInput,
      description: 'The address for the invoices. Replaced as a whole.',
    }),
    billingInformation: t.field({
      type: BillingInformationInput,
      description: describeRule(rules.billingInformation, 'Replaced as a whole.'),
    }),
    tags: t.stringList({ description: describeRule(rules.tags, 'Replaced as a whole. `null` removes all.') }),
    metadata: t.field({
      type: 'JSONObject',
      description: describeRule(metadata, 'Replaced as a whole. `null` removes all.'),
    }),
    expectedVersion: t.int({ description: describeRule(expectedVersion) }),
    ...writeOptionFields(t),
  }),
});

export const ArchiveAccountInput = builder.inputType('ArchiveAccountInput', {
  description: 'The account to archive, optionally at an expected version.',
  fields: (t) => entityFields(t, 'The id of the account.'),
});

export const RestoreAccountInput = builder.inputType('RestoreAccountInput', {
  description: 'The account to restore, optionally at an expected version.',
  fields: (t) => entityFields(t, 'The id of the account.'),
});

export const AccountFilter = builder.inputType('AccountFilter', {
  description: 'A filter for accounts. All conditions must match.',
  fields: (t) => ({
    ...commonFilterFields(t, 'id, name, primary email and current aliases'),
    customerId: t.id({ description: 'Matches the id of the customer.' }),
    status: t.field({ type: [AccountStatus], description: describeRule(rules.statusConditions) }),
    invoiceCurrency: t.string({
      description: describeRule(
        rules.invoiceCurrency,
        "Matches the account's own currency, or the tenant's base currency if the account has none.",
      ),
    }),
    tag: t.string({ description: describeRule(rules.tagCondition) }),
  }),
});

export const AccountOrder = orderInput('Account');
