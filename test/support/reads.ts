import { accountFields, customerFields } from './mutations.ts';
import type { Client, Json } from './service.ts';

async function read(client: Client, document: string, variables: object): Promise<Json> {
  const { data, errors } = await client.send(document, variables);
  if (errors !== undefined) throw new Error(JSON.stringify(errors));
  return data.found;
}

/** Returns the account, or `null` if it does not exist. */
export function readAccount(client: Client, id: string): Promise<Json> {
  return read(client, `query($id: ID!) { found: account(id: $id) { ...AccountFields } } ${accountFields}`, {
    id,
  });
}

/** Returns the customer, or `null` if it does not exist. */
export function readCustomer(client: Client, id: string): Promise<Json> {
  return read(
    client,
    `query($id: ID!) { found: customer(id: $id) { ...CustomerFields } } ${customerFields}`,
    { id },
  );
}

/** Returns the id of the account that has this alias at an instant, by default now; `undefined` if none has. */
export async function accountIdByAlias(client: Client, alias: string, on?: string): Promise<Json> {
  const document =
    'query($alias: String!, $on: DateTime) { found: accountByAlias(alias: $alias, effectiveOn: $on) { id } }';
  return (await read(client, document, { alias, on }))?.id;
}

/** Returns the sorted alias values of an account at an instant, by default now. */
export async function aliasValues(client: Client, id: string, on?: string): Promise<string[]> {
  const document =
    'query($id: ID!, $on: DateTime) { found: account(id: $id) { aliases(effectiveOn: $on) { value } } }';
  const { aliases } = await read(client, document, { id, on });
  return aliases.map(({ value }: Json) => value).toSorted();
}
