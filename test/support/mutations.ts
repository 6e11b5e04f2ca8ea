import type { Answer, Client, Json } from './service.ts';

const addressFields = 'phoneNumber line1 line2 postalCode city state country';
const settingFields = 'id namespace name dataType value';

const customerFields = `nodeId id name status primaryEmail billingAddress metadata version createdAt updatedAt
  address { ${addressFields} } settings { ${settingFields} }`;

const accountFields = `nodeId id name status customerId invoiceCurrency netTermDays primaryEmail tags metadata
  version createdAt updatedAt address { ${addressFields} }
  billingInformation { emailRecipients additionalEmailRecipients }
  aliases { value effectiveFrom effectiveUntil createdAt } settings { ${settingFields} }`;

const account = `account { ${accountFields} }`;
const customer = `customer { ${customerFields} }`;

/** Every mutation with what its success shows. */
const shown = {
  createCustomer: customer,
  updateCustomer: customer,
  archiveCustomer: customer,
  restoreCustomer: customer,
  createAccount: account,
  createAccounts: account,
  updateAccount: account,
  archiveAccount: account,
  restoreAccount: account,
  addAliases: account,
  removeAliases: account,
  transferAlias: account,
  putSettings: `${account} ${customer}`,
  removeSettings: `${account} ${customer}`,
};

export type MutationName = keyof typeof shown;

export const mutationNames = Object.keys(shown) as MutationName[];

const problem = `
... on Error {
  code
  message
  ... on InvalidInputError { issues { path code message } }
  ... on NotFoundError { type id }
  ... on IdTakenError { id accountId }
  ... on AliasTakenError { clashes { value accountId } }
  ... on VersionConflictError { currentVersion }
  ... on LimitExceededError { limit }
  ... on NotAllowedInStatusError { type id status liveAccountIds liveAccountCount }
}`;

function capitalised(name: string): string {
  return `${name.charAt(0).toUpperCase()}${name.slice(1)}`;
}

function documentOf(name: MutationName, selection = shown[name]): string {
  const type = capitalised(name);
  const result = name === 'createAccounts' ? 'CreateAccount' : type;
  const parameter = name === 'createAccounts' ? '$inputs: [CreateAccountInput!]!' : `$input: ${type}Input!`;
  const argument = name === 'createAccounts' ? 'inputs: $inputs' : 'input: $input';
  return `mutation(${parameter}) { ${name}(${argument}) {
    __typename ... on ${result}Success { replayed ${selection} } ${problem} } }`;
}

/** The whole answer to a mutation; createAccounts gets this one input. */
export function sendMutation(
  client: Client,
  name: MutationName,
  input: object,
  headers?: Record<string, string>,
): Promise<Answer> {
  const variables = name === 'createAccounts' ? { inputs: [input] } : { input };
  return client.send(documentOf(name), variables, headers);
}

/** The member of the mutation's union that an answer holds. */
export function memberOf({ data, errors }: Answer, name: MutationName): Json {
  if (errors !== undefined) throw new Error(JSON.stringify(errors));
  return name === 'createAccounts' ? data.createAccounts[0] : data[name];
}

/** The member of its union that a mutation answers with. */
export async function mutate(client: Client, name: MutationName, input: object): Promise<Json> {
  return memberOf(await sendMutation(client, name, input), name);
}

/** Like `mutate`, but of an account it answers only with when it was changed: for tests that send very many. */
export async function mutateBriefly(client: Client, name: MutationName, input: object): Promise<Json> {
  const document = documentOf(name, 'account { updatedAt }');
  return memberOf(await client.send(document, { input }), name);
}

/** The account or customer that an accepted mutation answers with; fails when it was refused. */
export async function mutated(client: Client, name: MutationName, input: object): Promise<Json> {
  const result = await mutate(client, name, input);
  if (result.replayed === undefined) throw new Error(`${name}: ${JSON.stringify(result)}`);
  return result.account ?? result.customer;
}

/** The answers to a batch, in its order. */
export async function createBatch(client: Client, inputs: object[]): Promise<Json[]> {
  const { data, errors } = await client.send(documentOf('createAccounts'), { inputs });
  if (errors !== undefined) throw new Error(JSON.stringify(errors));
  return data.createAccounts;
}

export function sendBatch(client: Client, inputs: object[]): Promise<Answer> {
  return client.send(documentOf('createAccounts'), { inputs });
}

/** Sends as many at once, and answers with what came of each. */
export function atOnce<T>(count: number, send: (runner: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, (_, runner) => send(runner)));
}

export const accepted = (results: Json[]): Json[] =>
  results.filter((result) => result.replayed !== undefined);
export const refused = (results: Json[]): Json[] => results.filter((result) => result.replayed === undefined);

/** The issues of an InvalidInputError without their messages. */
export function issuesIn(result: Json): { path: string[]; code: string }[] {
  if (result.__typename !== 'InvalidInputError') throw new Error(JSON.stringify(result));
  return result.issues.map(({ path, code }: Json) => ({ path, code }));
}

/** The values of the aliases that an account has at an instant, now when none is given. */
export async function aliasValues(client: Client, id: string, on?: string): Promise<string[]> {
  const document =
    'query($id: ID!, $on: DateTime) { account(id: $id) { aliases(effectiveOn: $on) { value } } }';
  const { data } = await client.send(document, { id, on });
  return data.account.aliases.map(({ value }: Json) => value).toSorted();
}
