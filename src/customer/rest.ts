import { customerByKey } from '../account/read.ts';
import {
  AccountAnswer,
  FirstAccountBody,
  MetadataAnswer,
  showAccount,
  toDomainInput,
} from '../account/rest.ts';
import { AddressAnswer, showAddress } from '../address/rest.ts';
import { billingAddressOf } from '../address/rules.ts';
import type { Ctx } from '../ctx.ts';
import { byId } from '../lib/entity-key.ts';
import { NotFoundError } from '../lib/errors.ts';
import { toTypeId } from '../lib/id.ts';
import { requireScope } from '../lib/scope.ts';
import { search } from '../listing/rules.ts';
import { present, Success } from '../rest/answer.ts';
import { facade } from '../rest/facade.ts';
import { askedPage, pageAnswer, pageOf, pageQuery, parsedFilter } from '../rest/page.ts';
import { nameInPath } from '../rest/path.ts';
import { answer, body, call, type Rest } from '../rest/route.ts';
import { z } from '../rest/zod.ts';
import { maxEmbedded, SettingOfOwner, showSettings } from '../setting/rest.ts';
import { keyOf, writeHeaders, written } from '../writing/rest.ts';
import { createCustomer } from './create.ts';
import { customerPage } from './read.ts';
import type { CreateCustomerInput } from './rules.ts';
import * as rules from './rules.ts';
import type { CustomerRow } from './table.ts';
import { archiveCustomer, updateCustomer } from './write.ts';

/** The customer of the examples. */
export const exampleCustomer = {
  id: 'C1234qwd',
  name: 'Acme Enterprise',
  primaryEmail: 'admin@example.com',
  address: {
    line1: '2281 Broadway Street',
    postalCode: '29501',
    city: 'Florence',
    state: 'South Carolina',
    country: 'US',
  },
} satisfies CreateCustomerInput;

const tags = ['Customers'];
const status = z.enum(Object.keys(rules.statuses) as [rules.CustomerStatus]);
const instant = (description: string) => z.iso.datetime().describe(description);

const customer = {
  id: rules.id,
  togaiCustomerId: z
    .string()
    .describe("The system's id of the customer: unique across all types and tenants, immutable."),
  name: rules.name,
  primaryEmail: rules.primaryEmail,
  billingAddress: z
    .string()
    .describe('The address on one line, without the phone number. Empty if all other parts are missing.'),
  address: AddressAnswer,
  status: status.describe("The customer's status."),
  settings: z
    .array(SettingOfOwner)
    .max(maxEmbedded)
    .optional()
    .describe(`The first ${maxEmbedded} settings, ordered by namespace, then id. \`/settings\` lists all.`),
  metadata: MetadataAnswer.optional(),
  createdAt: instant("The time of the customer's creation."),
  updatedAt: instant("The time of the customer's last change."),
};

const CustomerAnswer = z
  .strictObject(customer)
  .describe('A company that buys from the tenant. It owns accounts.')
  .openapi('Customer');

const CreatedCustomerAnswer = z
  .strictObject({ ...customer, account: AccountAnswer.optional() })
  .describe('A new customer and, if given, its first account.')
  .openapi('CreateCustomerResponse');

const { idempotencyKey: _, dryRun: __, account: ___, ...created } = rules.createCustomerInput.shape;

const CreateCustomerBody = facade(z.object({ ...created, account: FirstAccountBody.nullish() }))
  .describe('The new customer.')
  .openapi('CreateCustomerRequest');

const {
  id,
  expectedVersion: _version,
  idempotencyKey: _key,
  dryRun: _dryRun,
  ...changes
} = rules.updateCustomerInput.shape;

const UpdateCustomerBody = facade(z.object(changes))
  .describe('The changes. A field that is left out keeps its value, and `null` clears it.')
  .openapi('UpdateCustomerRequest');

/** Customers are never deleted, so one that existed can still be read. */
const customerPath = nameInPath(
  'id',
  id,
  async (ctx, name) => (await ctx.load(customerByKey, byId(name))) !== null,
);

const exampleAnswer = {
  id: exampleCustomer.id,
  togaiCustomerId: 'customer_01m84mzvx1f6ca2w8hq9zpntvb',
  name: exampleCustomer.name,
  primaryEmail: exampleCustomer.primaryEmail,
  billingAddress: '2281 Broadway Street, 29501, Florence, South Carolina, US',
  address: exampleCustomer.address,
  status: 'ACTIVE',
  createdAt: '2026-11-24T20:49:31.000Z',
  updatedAt: '2026-11-24T20:49:31.000Z',
};

const createRoute = call(['customers:write'], {
  method: 'post',
  path: '/customers',
  operationId: 'createCustomer',
  tags,
  summary: 'Create a customer',
  description:
    'Creates a customer and, if `account` is given, its first account, which also needs the scope `accounts:write`. If any part is refused, nothing is created.',
  request: { headers: writeHeaders, body: body(CreateCustomerBody, exampleCustomer) },
  responses: { 201: answer(CreatedCustomerAnswer, 'The new customer.', exampleAnswer) },
});

const filter = z.strictObject({
  status: status.optional().describe('Customers in this status. Default: all except archived ones.'),
  _search: search
    .optional()
    .describe(`Customers whose id, name or primary email contains this text. ${search.description}`),
});

const listRoute = call(['customers:read'], {
  method: 'get',
  path: '/customers',
  operationId: 'getCustomers',
  tags,
  summary: 'List customers',
  description: 'Lists the customers that match all conditions, the latest change first.',
  request: { query: filter.extend(pageQuery) },
  responses: { 200: answer(pageOf(CustomerAnswer, 'CustomerPage'), 'A page of customers.') },
});

const getRoute = call(['customers:read'], {
  method: 'get',
  path: '/customers/{id}',
  operationId: 'getCustomer',
  tags,
  summary: 'Get a customer',
  description: 'Returns the customer with this id, also if it is archived.',
  request: { params: customerPath },
  responses: { 200: answer(CustomerAnswer, 'The customer.', exampleAnswer) },
});

const updateRoute = call(['customers:write'], {
  method: 'patch',
  path: '/customers/{id}',
  operationId: 'updateCustomer',
  tags,
  summary: 'Change a customer',
  description: 'Changes fields of a customer. `address` and `metadata` are replaced as a whole.',
  request: {
    params: customerPath,
    headers: writeHeaders,
    body: body(UpdateCustomerBody, { name: 'Acme Inc.' }),
  },
  responses: { 200: answer(CustomerAnswer, 'The customer as it is now.') },
});

const deleteRoute = call(['customers:write'], {
  method: 'delete',
  path: '/customers/{id}',
  operationId: 'deleteCustomer',
  tags,
  summary: 'Archive a customer',
  description:
    'Archives the customer, because customers are never deleted. Refused while it has accounts that are not archived; the error lists them.',
  request: { params: customerPath, headers: writeHeaders },
  responses: { 200: answer(Success, 'The customer was archived.') },
});

async function showCustomer(ctx: Ctx, row: CustomerRow) {
  const settings = await showSettings(ctx, 'CUSTOMER', row.id);
  return {
    id: row.id,
    togaiCustomerId: toTypeId('Customer', row.nodeId),
    name: row.name,
    primaryEmail: row.primaryEmail,
    billingAddress: billingAddressOf(row) ?? '',
    address: showAddress(row),
    status: row.status,
    ...present({ settings, metadata: row.metadata }),
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
  };
}

function registerReads(rest: Rest): void {
  rest.openapi(listRoute, async (c) => {
    const { ctx } = c.var;
    const asked = askedPage('customers', c.req.valid('query'));
    const { status, _search } = parsedFilter(filter, asked);
    const conditions = { status: status && [status], search: _search };
    const page = await customerPage(ctx, { first: asked.size, after: asked.after }, conditions);
    const data = await Promise.all(page.rows.map((row) => showCustomer(ctx, row)));
    return c.json(pageAnswer(asked, 'DESC', data, page), 200);
  });

  rest.openapi(getRoute, async (c) => {
    const { ctx } = c.var;
    const { id } = c.req.valid('param');
    const customer = await ctx.load(customerByKey, byId(id));
    if (customer === null) throw new NotFoundError('Customer', id);
    return c.json(await showCustomer(ctx, customer), 200);
  });
}

function registerWrites(rest: Rest): void {
  rest.openapi(createRoute, async (c) => {
    const { ctx } = c.var;
    const { account: first, ...fields } = c.req.valid('json');
    if (first) requireScope(ctx.viewer, 'accounts:write');
    const idempotencyKey = c.req.valid('header')['Idempotency-Key'];
    const input = { ...fields, account: first && toDomainInput(first), idempotencyKey };
    const { customer, account } = written(c, await createCustomer(ctx, input));
    const shown = account && { account: await showAccount(ctx, account.account) };
    return c.json({ ...(await showCustomer(ctx, customer)), ...shown }, 201);
  });

  rest.openapi(updateRoute, async (c) => {
    const { ctx } = c.var;
    const key = keyOf(c, c.req.valid('header'), c.req.valid('json'));
    const { metadata, ...changes } = c.req.valid('json');
    // The published clients send null for what they do not change.
    const input = { ...changes, metadata: metadata ?? undefined, ...c.req.valid('param'), ...key };
    return c.json(await showCustomer(ctx, written(c, await updateCustomer(ctx, input))), 200);
  });

  rest.openapi(deleteRoute, async (c) => {
    const key = keyOf(c, c.req.valid('header'));
    written(c, await archiveCustomer(c.var.ctx, { ...c.req.valid('param'), ...key }));
    return c.json({ success: true as const }, 200);
  });
}

/** Registers the routes of customers. */
export function customerRoutes(rest: Rest): void {
  registerReads(rest);
  registerWrites(rest);
}
