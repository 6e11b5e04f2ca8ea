import { AddressAnswer, showAddress } from '../address/rest.ts';
import { aliasesOfAccount, nameExisted } from '../alias/read.ts';
import { aliasListRules, value as aliasValue } from '../alias/rules.ts';
import type { Ctx } from '../ctx.ts';
import { byId } from '../lib/entity-key.ts';
import { NotFoundError } from '../lib/errors.ts';
import { entityReference, instant, metadata } from '../lib/fields.ts';
import { toTypeId } from '../lib/id.ts';
import { search } from '../listing/rules.ts';
import { present, Success } from '../rest/answer.ts';
import { noBeginning, noEnd } from '../rest/dates.ts';
import { facade } from '../rest/facade.ts';
import { askedPage, pageAnswer, pageOf, pageQuery, parsedFilter } from '../rest/page.ts';
import { nameInPath } from '../rest/path.ts';
import { answer, body, call, type Rest } from '../rest/route.ts';
import { z } from '../rest/zod.ts';
import { maxEmbedded, SettingOfOwner, showSettings } from '../setting/rest.ts';
import { keyOf, writeHeaders, written } from '../writing/rest.ts';
import { createAccount } from './create.ts';
import { accountByKey, accountPage, customerByKey } from './read.ts';
import type { CreateAccountInput } from './rules.ts';
import * as rules from './rules.ts';
import type { AccountRow } from './table.ts';
import { archiveAccount, updateAccount } from './write.ts';

/** The account of the examples. */
export const exampleAccount = {
  id: 'ACC00001',
  name: 'Primary Account',
  customerId: 'C1234qwd',
  aliases: ['acme_primary', 'acme_1'],
  address: {
    phoneNumber: '+919876543210',
    line1: '2281 Broadway Street',
    line2: 'G-31',
    postalCode: '29501',
    city: 'Florence',
    state: 'South Carolina',
    country: 'US',
  },
  primaryEmail: 'admin@example.com',
  settings: [
    {
      id: 'accountSettingId',
      value: 'INR',
      namespace: 'USER',
      name: 'Settings Name',
      dataType: 'STRING' as const,
    },
  ],
  netTermDays: 45,
} satisfies CreateAccountInput;

const systemId = (of: string) =>
  z.string().describe(`The system's id of the ${of}: unique across all types and tenants, immutable.`);

/** Without the rule's check of unstorable keys, which a response cannot have. */
export const MetadataAnswer = metadata.out.describe(metadata.description ?? '');

export const AccountAnswer = z
  .strictObject({
    id: rules.id,
    togaiAccountId: systemId('account'),
    customerId: rules.id.describe("The id of the account's customer."),
    togaiCustomerId: systemId('customer'),
    name: rules.name,
    status: z.enum(Object.keys(rules.statuses) as [rules.AccountStatus]).describe("The account's status."),
    invoiceCurrency: rules.invoiceCurrency
      .optional()
      .describe("The account's own currency, or the tenant's base currency."),
    address: AddressAnswer.optional(),
    primaryEmail: rules.primaryEmail.optional(),
    billingInformation: z
      .strictObject({
        emailRecipients: rules.emailRecipients.optional(),
        additionalEmailRecipients: rules.additionalEmailRecipients.optional(),
      })
      .optional()
      .describe("The recipients of this account's invoices."),
    aliases: z
      .array(z.strictObject({ alias: aliasValue }))
      .max(maxEmbedded)
      .optional()
      .describe(
        `The first ${maxEmbedded} aliases in force, in the order of their creation. \`/accounts/{id}/account_aliases\` lists all.`,
      ),
    settings: z
      .array(SettingOfOwner)
      .max(maxEmbedded)
      .optional()
      .describe(`The first ${maxEmbedded} settings, ordered by namespace, then id. \`/settings\` lists all.`),
    netTermDays: rules.netTermDays.optional().describe("The account's own terms, or the tenant's."),
    metadata: MetadataAnswer.optional(),
    tags: rules.tags.optional(),
  })
  .describe('An account. A missing field has no value.')
  .openapi('Account');

type AccountBody = z.input<typeof AccountAnswer>;

function showBilling(account: AccountRow) {
  const billing = rules.billingInformationOf(account);
  return billing === null ? {} : { billingInformation: present(billing) };
}

/** Returns the REST representation of an account, with the aliases in force at an instant. */
export async function showAccount(ctx: Ctx, account: AccountRow, on: Date = ctx.now): Promise<AccountBody> {
  const [customer, aliases, settings] = await Promise.all([
    ctx.load(customerByKey, byId(account.customerId)),
    ctx.load(aliasesOfAccount, { accountId: account.id, on }),
    showSettings(ctx, 'ACCOUNT', account.id),
  ]);
  if (customer === null) throw new Error('The account has no customer.');
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

/** Returns the account with an id. Throws NotFoundError. */
export async function findAccount(ctx: Ctx, id: string): Promise<AccountRow> {
  const account = await ctx.load(accountByKey, byId(id));
  if (account === null) throw new NotFoundError('Account', id);
  return account;
}

const { checkSpans } = aliasListRules('accountAliases');

const { datedAliases, ...first } = rules.firstAccountInput.shape;

/** The first account of a new customer. REST clients send dated aliases as `accountAliases`. */
export const FirstAccountBody = facade(z.object({ ...first, accountAliases: datedAliases }).check(checkSpans))
  .describe('The first account of a new customer.')
  .openapi('CreateAccountRequestWithoutCustomerId');

const { customerId } = rules.createAccountInput.shape;

export const CreateAccountBody = facade(
  z.object({ ...first, customerId, accountAliases: datedAliases }).check(checkSpans),
)
  .describe('The new account.')
  .openapi('CreateAccountRequest');

interface RestAlias {
  effectiveFrom?: Date | null | undefined;
  effectiveUntil?: Date | null | undefined;
}

/** Leaves out the bounds that `account_aliases` shows for "no beginning" and "no end". */
function withoutPlaceholders<T extends RestAlias>(alias: T): T {
  const { effectiveFrom: from, effectiveUntil: until } = alias;
  return {
    ...alias,
    effectiveFrom: from?.getTime() === Date.parse(noBeginning) ? null : from,
    effectiveUntil: until?.getTime() === Date.parse(noEnd) ? null : until,
  };
}

/** Renames `accountAliases` to `datedAliases`. */
export function toDomainInput<A extends RestAlias, T extends { accountAliases?: A[] | null | undefined }>({
  accountAliases,
  ...rest
}: T): Omit<T, 'accountAliases'> & { datedAliases: T['accountAliases'] } {
  return { ...rest, datedAliases: accountAliases?.map(withoutPlaceholders) ?? accountAliases };
}

const {
  id,
  expectedVersion: _,
  idempotencyKey: __,
  dryRun: ___,
  ...changes
} = rules.updateAccountInput.shape;

export const UpdateAccountBody = facade(z.object(changes))
  .describe('The changes. A field that is left out keeps its value, and `null` clears it.')
  .openapi('UpdateAccountRequest');

export const accountPath = nameInPath('id', id, nameExisted);

const tags = ['Accounts'];

const exampleAnswer = {
  id: exampleAccount.id,
  togaiAccountId: 'account_01m84mzvx6f6cbqcg1bbxa97js',
  customerId: exampleAccount.customerId,
  togaiCustomerId: 'customer_01m84mzvx1f6ca2w8hq9zpntvb',
  name: exampleAccount.name,
  status: 'ACTIVE',
  invoiceCurrency: 'USD',
  netTermDays: exampleAccount.netTermDays,
  address: exampleAccount.address,
  primaryEmail: exampleAccount.primaryEmail,
  aliases: exampleAccount.aliases.map((alias) => ({ alias })),
  settings: exampleAccount.settings,
};

const createRoute = call(['accounts:write'], {
  method: 'post',
  path: '/accounts',
  operationId: 'createAccount',
  tags,
  summary: 'Create an account',
  description:
    'Creates an account with its aliases and settings. If any part is refused, nothing is created.',
  request: { headers: writeHeaders, body: body(CreateAccountBody, exampleAccount) },
  responses: { 201: answer(AccountAnswer, 'The new account.', exampleAnswer) },
});

const statusQuery = z
  .enum(Object.keys(rules.statuses) as [rules.AccountStatus])
  .describe('Accounts in this status. Default: all except archived ones.');

const filter = z.strictObject({
  customer_id: entityReference.optional().describe('Accounts of this customer.'),
  status: statusQuery.optional(),
  invoice_currency: rules.currencyCondition.optional().describe('Accounts invoiced in this currency.'),
  account_id: entityReference.optional().describe('The account with this id.'),
  _search: search
    .optional()
    .describe(
      `Accounts whose id, name, primary email or a current alias contains this text. ${search.description}`,
    ),
});

const listRoute = call(['accounts:read'], {
  method: 'get',
  path: '/accounts',
  operationId: 'getAccounts',
  tags,
  summary: 'List accounts',
  description: 'Lists the accounts that match all conditions, the latest change first.',
  request: { query: filter.extend(pageQuery) },
  responses: { 200: answer(pageOf(AccountAnswer, 'AccountPage'), 'A page of accounts.') },
});

const getRoute = call(['accounts:read'], {
  method: 'get',
  path: '/accounts/{id}',
  operationId: 'getAccount',
  tags,
  summary: 'Get an account',
  description: 'Returns the account with this id, also if it is archived.',
  request: {
    params: accountPath,
    query: z.strictObject({
      effectiveOn: facade(instant)
        .optional()
        .describe('The instant at which to read the aliases. Default: now.'),
      includeGroupDetails: z
        .enum(['true', 'false', 'True', 'False'])
        .optional()
        .openapi({ type: 'boolean' })
        .describe('Ignored. Accepted because clients send it; accounts have no invoice groups.'),
    }),
  },
  responses: { 200: answer(AccountAnswer, 'The account.', exampleAnswer) },
});

const updateRoute = call(['accounts:write'], {
  method: 'patch',
  path: '/accounts/{id}',
  operationId: 'updateAccount',
  tags,
  summary: 'Change an account',
  description:
    'Changes fields of an account. `address`, `billingInformation`, `tags` and `metadata` are replaced as a whole.',
  request: {
    params: accountPath,
    headers: writeHeaders,
    body: body(UpdateAccountBody, { name: 'Main Account', netTermDays: null }),
  },
  responses: { 200: answer(AccountAnswer, 'The account as it is now.') },
});

const deleteRoute = call(['accounts:write'], {
  method: 'delete',
  path: '/accounts/{id}',
  operationId: 'deleteAccount',
  tags,
  summary: 'Archive an account',
  description:
    'Archives the account, because accounts are never deleted. Its aliases end immediately, and lists exclude it by default. It keeps its settings and can still be read by id.',
  request: { params: accountPath, headers: writeHeaders },
  responses: { 200: answer(Success, 'The account was archived.') },
});

function registerReads(rest: Rest): void {
  rest.openapi(listRoute, async (c) => {
    const { ctx } = c.var;
    const asked = askedPage('accounts', c.req.valid('query'));
    const wanted = parsedFilter(filter, asked);
    const page = await accountPage(
      ctx,
      { first: asked.size, after: asked.after },
      {
        id: wanted.account_id,
        customerId: wanted.customer_id,
        status: wanted.status && [wanted.status],
        invoiceCurrency: wanted.invoice_currency,
        search: wanted._search,
      },
    );
    const data = await Promise.all(page.rows.map((account) => showAccount(ctx, account)));
    return c.json(pageAnswer(asked, 'DESC', data, page), 200);
  });

  rest.openapi(getRoute, async (c) => {
    const { ctx } = c.var;
    const account = await findAccount(ctx, c.req.valid('param').id);
    return c.json(await showAccount(ctx, account, c.req.valid('query').effectiveOn), 200);
  });
}

function registerWrites(rest: Rest): void {
  rest.openapi(createRoute, async (c) => {
    const { ctx } = c.var;
    const idempotencyKey = c.req.valid('header')['Idempotency-Key'];
    const input = { ...toDomainInput(c.req.valid('json')), idempotencyKey };
    const { account } = written(c, await createAccount(ctx, input));
    return c.json(await showAccount(ctx, account), 201);
  });

  rest.openapi(updateRoute, async (c) => {
    const { ctx } = c.var;
    const key = keyOf(c, c.req.valid('header'), c.req.valid('json'));
    const { metadata, invoiceCurrency, ...changes } = c.req.valid('json');
    const input = {
      ...changes,
      // The published clients send null for what they do not change.
      metadata: metadata ?? undefined,
      invoiceCurrency: invoiceCurrency ?? undefined,
      ...c.req.valid('param'),
      ...key,
    };
    return c.json(await showAccount(ctx, written(c, await updateAccount(ctx, input))), 200);
  });

  rest.openapi(deleteRoute, async (c) => {
    const key = keyOf(c, c.req.valid('header'));
    written(c, await archiveAccount(c.var.ctx, { ...c.req.valid('param'), ...key }));
    return c.json({ success: true as const }, 200);
  });
}

/** Registers the routes of accounts. */
export function accountRoutes(rest: Rest): void {
  registerReads(rest);
  registerWrites(rest);
}
