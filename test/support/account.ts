import type { Client, Json, Service } from './service.ts';

const problem = `
fragment Problem on Error {
  __typename
  code
  message
  ... on InvalidInputError { issues { path code message } }
  ... on NotFoundError { type id }
  ... on IdTakenError { id accountId }
  ... on AliasTakenError { clashes { value accountId } }
  ... on NotAllowedInStatusError { type id status }
}`;

const customerFields = `
fragment CustomerFields on Customer {
  nodeId id name status primaryEmail billingAddress metadata version createdAt updatedAt
  address { phoneNumber line1 line2 postalCode city state country }
  settings { id namespace name dataType value }
}`;

export const accountFields = `
fragment AccountFields on Account {
  nodeId id name status customerId invoiceCurrency netTermDays primaryEmail tags metadata version createdAt updatedAt
  address { phoneNumber line1 line2 postalCode city state country }
  billingInformation { emailRecipients additionalEmailRecipients }
  aliases { value effectiveFrom effectiveUntil createdAt }
  settings { id namespace name dataType value }
  customer { ...CustomerFields }
}
${customerFields}`;

const createAccountDocument = `
mutation CreateAccount($input: CreateAccountInput!) {
  createAccount(input: $input) {
    __typename
    ... on CreateAccountSuccess { replayed account { ...AccountFields } }
    ...Problem
  }
}
${accountFields}
${problem}`;

const createCustomerDocument = `
mutation CreateCustomer($input: CreateCustomerInput!) {
  createCustomer(input: $input) {
    __typename
    ... on CreateCustomerSuccess { replayed customer { ...CustomerFields } }
    ...Problem
  }
}
${customerFields}
${problem}`;

/** A customer with no more than it must have. */
export function customerInput(overrides: object = {}) {
  return { id: 'C1', name: 'Acme', primaryEmail: 'a@acme.com', address: { country: 'US' }, ...overrides };
}

/** An account of the customer C1 with no more than it must have. */
export function accountInput(overrides: object = {}) {
  return { id: 'A1', name: 'Main account', customerId: 'C1', ...overrides };
}

/** The whole answer to a createAccount; for what the server refuses before it looks at the input. */
export function sendCreateAccount(client: Client, input: unknown, headers?: Record<string, string>) {
  return client.send(createAccountDocument, { input }, headers);
}

/** The whole answer to a createCustomer. */
export function sendCreateCustomer(client: Client, input: unknown, headers?: Record<string, string>) {
  return client.send(createCustomerDocument, { input }, headers);
}

function memberOf(answer: { data: Json; errors: Json }, field: string): Json {
  if (answer.errors !== undefined) throw new Error(JSON.stringify(answer.errors));
  return answer.data[field];
}

/** The member of CreateAccountResult that a createAccount answers with. */
export async function createAccount(client: Client, overrides: object = {}): Promise<Json> {
  return memberOf(await sendCreateAccount(client, accountInput(overrides)), 'createAccount');
}

/** The member of CreateCustomerResult that a createCustomer answers with. */
export async function createCustomer(client: Client, overrides: object = {}): Promise<Json> {
  return memberOf(await sendCreateCustomer(client, customerInput(overrides)), 'createCustomer');
}

/** An account that was created; fails when it was refused. */
export async function createdAccount(client: Client, overrides: object = {}): Promise<Json> {
  const result = await createAccount(client, overrides);
  if (result.account === undefined) throw new Error(JSON.stringify(result));
  return result.account;
}

/** A customer that was created; fails when it was refused. */
export async function createdCustomer(client: Client, overrides: object = {}): Promise<Json> {
  const result = await createCustomer(client, overrides);
  if (result.customer === undefined) throw new Error(JSON.stringify(result));
  return result.customer;
}

/** A tenant of its own that has the customer C1. */
export async function tenantWithCustomer(
  service: Service,
  options?: Parameters<Service['newTenant']>[0],
): Promise<Client> {
  const client = await service.newTenant(options);
  await createdCustomer(client);
  return client;
}

const readAccountDocument = `query($id: ID!) { account(id: $id) { ...AccountFields } } ${accountFields}`;

/** The account with this id, null when there is none. */
export async function readAccount(client: Client, id: string): Promise<Json> {
  return memberOf(await client.send(readAccountDocument, { id }), 'account');
}

const readCustomerDocument = `query($id: ID!) { customer(id: $id) { ...CustomerFields } } ${customerFields}`;

/** The customer with this id, null when there is none. */
export async function readCustomer(client: Client, id: string): Promise<Json> {
  return memberOf(await client.send(readCustomerDocument, { id }), 'customer');
}

/** The id of the account that a name means, undefined when it means nobody. */
export async function accountIdByAlias(client: Client, alias: string, on?: string): Promise<Json> {
  const document =
    'query($alias: String!, $on: DateTime) { accountByAlias(alias: $alias, effectiveOn: $on) { id } }';
  return memberOf(await client.send(document, { alias, on }), 'accountByAlias')?.id;
}
