import { instant } from '../alias/rules.ts';
import { search } from '../entity/list-rules.ts';
import { keyOf, writeHeaders, written } from '../idempotency/rest.ts';
import { Success } from '../rest/answer.ts';
import { facade } from '../rest/facade.ts';
import { askedPage, pageAnswer, pageOf, pageQuery, parsedFilter } from '../rest/page.ts';
import { answer, body, call, type Rest } from '../rest/route.ts';
import { z } from '../rest/zod.ts';
import { AccountAnswer, findAccount, showAccount } from './answer.ts';
import { accountPath, CreateAccountBody, inDomainWords, UpdateAccountBody } from './bodies.ts';
import { createAccount } from './create.ts';
import { exampleAccount } from './example.ts';
import { accountPage } from './list.ts';
import * as rules from './rules.ts';
import { archiveAccount, updateAccount } from './write.ts';

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
  aliases: exampleAccount.aliases.toSorted().map((alias) => ({ alias })),
  settings: exampleAccount.settings,
};

const createRoute = call(['accounts:write'], {
  method: 'post',
  path: '/accounts',
  operationId: 'createAccount',
  tags,
  summary: 'Create an account',
  description:
    'Creates an account of a customer, with its aliases and settings: all of it or, when anything is refused, nothing.',
  request: { headers: writeHeaders, body: body(CreateAccountBody, exampleAccount) },
  responses: { 201: answer(AccountAnswer, 'The new account.', exampleAnswer) },
});

const statusQuery = z
  .enum(Object.keys(rules.statuses) as [rules.AccountStatus])
  .describe('Those in this status; without it, all but the archived ones.');

const filter = z.strictObject({
  customer_id: rules.id.optional().describe('Those of this customer.'),
  status: statusQuery.optional(),
  invoice_currency: rules.invoiceCurrency.optional().describe('Those invoiced in this currency.'),
  account_id: rules.id.optional().describe('The one with this id.'),
  _search: search
    .optional()
    .describe(
      `Those whose id, name, primary email or an alias in force contains this. ${search.description}`,
    ),
});

const listRoute = call(['accounts:read'], {
  method: 'get',
  path: '/accounts',
  operationId: 'getAccounts',
  tags,
  summary: 'List accounts',
  description: 'The accounts that meet every condition, the latest change first.',
  request: { query: filter.extend(pageQuery) },
  responses: { 200: answer(pageOf(AccountAnswer, 'AccountPage'), 'A page of accounts.') },
});

const getRoute = call(['accounts:read'], {
  method: 'get',
  path: '/accounts/{id}',
  operationId: 'getAccount',
  tags,
  summary: 'Get an account',
  description: 'The account with this id, an archived one too.',
  request: {
    params: accountPath,
    query: z.strictObject({
      effectiveOn: facade(instant)
        .optional()
        .describe('The instant whose aliases it shows; now when it is left out.'),
      includeGroupDetails: z
        .string()
        .optional()
        .describe(
          'Taken for the sake of clients that send it. Accounts have no invoice groups here: it adds nothing.',
        ),
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
    'Changes fields of an account. `address`, `billingInformation`, `tags` and `metadata` are replaced whole.',
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
    'Archives the account, for nothing is ever deleted: its aliases end now, lists leave it out, it stays readable by id, and its settings stay with it.',
  request: { params: accountPath, headers: writeHeaders },
  responses: { 200: answer(Success, 'The account is archived.') },
});

function reads(rest: Rest): void {
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

function writes(rest: Rest): void {
  rest.openapi(createRoute, async (c) => {
    const { ctx } = c.var;
    const idempotencyKey = c.req.valid('header')['Idempotency-Key'];
    const input = { ...inDomainWords(c.req.valid('json')), idempotencyKey };
    const { account } = written(c, await createAccount(ctx, input));
    return c.json(await showAccount(ctx, account), 201);
  });

  rest.openapi(updateRoute, async (c) => {
    const { ctx } = c.var;
    const key = keyOf(c, c.req.valid('header'), c.req.valid('json'));
    const input = { ...c.req.valid('json'), ...c.req.valid('param'), ...key };
    return c.json(await showAccount(ctx, written(c, await updateAccount(ctx, input))), 200);
  });

  rest.openapi(deleteRoute, async (c) => {
    const key = keyOf(c, c.req.valid('header'));
    written(c, await archiveAccount(c.var.ctx, { ...c.req.valid('param'), ...key }));
    return c.json({ success: true as const }, 200);
  });
}

/** The calls that are about accounts themselves. */
export function accountRoutes(rest: Rest): void {
  reads(rest);
  writes(rest);
}
