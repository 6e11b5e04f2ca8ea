import type { Answer, Client, Json } from './service.ts';

export const customerFields = `
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

const account = { selection: 'account { ...AccountFields }', fragments: accountFields };
const customer = { selection: 'customer { ...CustomerFields }', fragments: customerFields };
const owner = { selection: `${account.selection} ${customer.selection}`, fragments: accountFields };

/** Every mutation with the selection of its success. */
const selections = {
  createCustomer: customer,
  createCustomers: customer,
  updateCustomer: customer,
  archiveCustomer: customer,
  restoreCustomer: customer,
  createAccount: account,
  createAccounts: account,
  updateAccount: account,
  updateAccounts: account,
  archiveAccount: account,
  restoreAccount: account,
  revertAccount: account,
  addAliases: account,
  removeAliases: account,
  transferAlias: account,
  putSettings: owner,
  removeSettings: owner,
};

export type MutationName = keyof typeof selections;

export const mutationNames = Object.keys(selections) as MutationName[];

/** The mutations of several inputs, each with the mutation whose input and result types it shares. */
export const singleOf = {
  createCustomers: 'createCustomer',
  createAccounts: 'createAccount',
  updateAccounts: 'updateAccount',
} as const;

export type BulkName = keyof typeof singleOf;

export const isBulk = (name: string): name is BulkName => name in singleOf;

/** Returns the part of the names of its types that a mutation determines, such as `CreateAccount`. */
export function typePrefixOf(name: string): string {
  const single = isBulk(name) ? singleOf[name] : name;
  return `${single.charAt(0).toUpperCase()}${single.slice(1)}`;
}

const error = `
... on Error {
  code
  message
  ... on InvalidInputError { issues { path code message } }
  ... on NotFoundError { type id }
  ... on IdTakenError { id accountId }
  ... on AliasTakenError { clashes { value accountId } }
  ... on RevertRefusedError { issues { path code message } clashes { value accountId } }
  ... on VersionConflictError { currentVersion }
  ... on LimitExceededError { limit }
  ... on NotAllowedInStatusError { type id status liveAccountIds liveAccountCount }
}`;

/** Returns the document of a mutation. It selects all fields of the result. */
export function documentOf(name: MutationName): string {
  const { selection, fragments } = selections[name];
  const type = typePrefixOf(name);
  const parameter = isBulk(name) ? `$inputs: [${type}Input!]!` : `$input: ${type}Input!`;
  const argument = isBulk(name) ? 'inputs: $inputs' : 'input: $input';
  return `mutation(${parameter}) { ${name}(${argument}) {
    __typename ... on ${type}Success { replayed dryRun ${selection} } ${error} } } ${fragments}`;
}

/** Sends a mutation and returns the whole response. A mutation of several inputs accepts one input or a list. */
export function sendMutation(
  client: Client,
  name: MutationName,
  input: unknown,
  headers?: Record<string, string>,
): Promise<Answer> {
  const variables = isBulk(name) ? { inputs: [input].flat() } : { input };
  return client.send(documentOf(name), variables, headers);
}

function fieldOf({ data, errors }: Answer, name: MutationName): Json {
  if (errors !== undefined) throw new Error(JSON.stringify(errors));
  return data[name];
}

/** Returns the result in a response, a success or an error; the first result of several inputs. */
export function resultOf(answer: Answer, name: MutationName): Json {
  return [fieldOf(answer, name)].flat()[0];
}

/** Sends a mutation and returns its result, a success or an error. */
export async function tryMutation(client: Client, name: MutationName, input: unknown): Promise<Json> {
  return resultOf(await sendMutation(client, name, input), name);
}

/** Sends a mutation of several inputs and returns the results in the order of the inputs. */
export async function tryEach(client: Client, name: BulkName, inputs: object[]): Promise<Json[]> {
  return fieldOf(await sendMutation(client, name, inputs), name);
}

/** Sends `createAccounts` and returns the results in the order of the inputs. */
export function tryCreateAccounts(client: Client, inputs: object[]): Promise<Json[]> {
  return tryEach(client, 'createAccounts', inputs);
}

/** Sends a mutation that must succeed and returns the account or customer. */
export async function mutate(client: Client, name: MutationName, input: object): Promise<Json> {
  const result = await tryMutation(client, name, input);
  if (result.replayed === undefined) throw new Error(`${name}: ${JSON.stringify(result)}`);
  return result.account ?? result.customer;
}

/** Runs `send` this many times concurrently and returns the results. */
export function atOnce<T>(count: number, send: (runner: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, (_, runner) => send(runner)));
}

export const accepted = (results: Json[]): Json[] =>
  results.filter((result) => result.replayed !== undefined);
export const refused = (results: Json[]): Json[] => results.filter((result) => result.replayed === undefined);

/** The mutations of tenants, which test/tenant tests. */
export const tenantMutationNames = ['updateTenant'] as const;

/** The mutations of webhook endpoints, which test/webhook tests. */
export const webhookMutationNames = [
  'createWebhookEndpoint',
  'updateWebhookEndpoint',
  'deleteWebhookEndpoint',
  'rotateWebhookSecret',
  'testWebhookEndpoint',
  'redeliver',
] as const;
