import { AddressAnswer, showAddress } from '../address/rest.ts';
import { value as aliasValue } from '../alias/rules.ts';
import type { Ctx } from '../ctx.ts';
import { byId } from '../lib/entity-key.ts';
import { NotFoundError } from '../lib/errors.ts';
import { metadata } from '../lib/fields.ts';
import { toTypeId } from '../lib/id.ts';
import { present } from '../rest/answer.ts';
import { z } from '../rest/zod.ts';
import { setting } from '../setting/rules.ts';
import type { AccountRow } from './read.ts';
import * as rules from './rules.ts';

/** How many of its aliases and of its settings an answer holds at most: the clients refuse more. */
export const maxEmbedded = 10;

const systemId = (of: string) =>
  z
    .string()
    .describe(`Made by the system for the ${of}: unique across all types and tenants, never changed.`);

export const SettingOfOwner = z
  .strictObject(setting.shape)
  .describe('A typed key-value of its account or customer.')
  .openapi('EntitySetting');

/** Without its rule's look at keys that JSON cannot bring, whose input could be anything. */
export const MetadataAnswer = metadata.out.describe(metadata.description ?? '');

export const AccountAnswer = z
  .strictObject({
    id: rules.id,
    togaiAccountId: systemId('account'),
    customerId: rules.id.describe('The id of the customer it belongs to.'),
    togaiCustomerId: systemId('customer'),
    name: rules.name,
    status: z.enum(Object.keys(rules.statuses) as [rules.AccountStatus]).describe('Where it is in its life.'),
    invoiceCurrency: rules.invoiceCurrency
      .optional()
      .describe("The account's own currency, or else the tenant's base currency."),
    address: AddressAnswer.optional(),
    primaryEmail: rules.primaryEmail.optional(),
    billingInformation: z
      .strictObject({
        emailRecipients: rules.emailRecipients.optional(),
        additionalEmailRecipients: rules.additionalEmailRecipients.optional(),
      })
      .optional()
      .describe('Who receives the invoices of this account.'),
    aliases: z
      .array(z.strictObject({ alias: aliasValue }))
      .max(maxEmbedded)
      .optional()
      .describe(
        `The aliases in force, the first ${maxEmbedded} in the order in which they were recorded. \`/accounts/{id}/account_aliases\` has all.`,
      ),
    settings: z
      .array(SettingOfOwner)
      .max(maxEmbedded)
      .optional()
      .describe(
        `The settings, the first ${maxEmbedded} in the order of their namespaces and ids. \`/settings\` has all.`,
      ),
    netTermDays: rules.netTermDays.optional().describe("The account's own net terms, or else the tenant's."),
    metadata: MetadataAnswer.optional(),
    tags: rules.tags.optional(),
  })
  .describe('The thing that is billed. A field that is not there holds nothing.')
  .openapi('Account');

type AccountBody = z.input<typeof AccountAnswer>;

/** Settings as an account or customer shows them. */
export async function showSettings(ctx: Ctx, type: 'ACCOUNT' | 'CUSTOMER', id: string) {
  const settings = await ctx.loaders.settings.load({ type, id });
  return settings.slice(0, maxEmbedded).map(({ id, namespace, name, dataType, value }) => {
    return { id, namespace, name, dataType, value };
  });
}

function showBilling(account: AccountRow) {
  const billing = rules.billingInformationOf(account);
  return billing === null ? {} : { billingInformation: present(billing) };
}

/** An account as the facade shows it, with the aliases in force at an instant. */
export async function showAccount(ctx: Ctx, account: AccountRow, on: Date = ctx.now): Promise<AccountBody> {
  const [customer, aliases, settings] = await Promise.all([
    ctx.loaders.customer.load(byId(account.customerId)),
    ctx.loaders.aliases.load({ accountId: account.id, on }),
    showSettings(ctx, 'ACCOUNT', account.id),
  ]);
  if (customer === null) throw new Error('An account without a customer.');
  const { tenant } = ctx.viewer;
  return {
    id: account.id,
    togaiAccountId: toTypeId('Account', account.nodeId),
    customerId: account.customerId,
    togaiCustomerId: toTypeId('Customer', customer.nodeId),
    name: account.name,
    status: account.status,
    invoiceCurrency: account.invoiceCurrency ?? tenant.baseCurrency,
    netTermDays: account.netTermDays ?? tenant.netTermDays,
    ...showBilling(account),
    ...present({
      address: showAddress(account),
      primaryEmail: account.primaryEmail,
      aliases: aliases.slice(0, maxEmbedded).map(({ value }) => ({ alias: value })),
      settings,
      metadata: account.metadata,
      tags: account.tags,
    }),
  };
}

/** The account with this id. Throws NotFoundError. */
export async function findAccount(ctx: Ctx, id: string): Promise<AccountRow> {
  const account = await ctx.loaders.account.load(byId(id));
  if (account === null) throw new NotFoundError('Account', id);
  return account;
}
