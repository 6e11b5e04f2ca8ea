import { accountInput, customerInput, tenantWithCustomer } from './fixtures.ts';
import { mutate, tryCreateAccounts, tryMutation } from './mutations.ts';
import { type RestAnswer, type RestClient, useRest } from './rest.ts';
import { type Json, useService } from './service.ts';

export interface Lists {
  aliases?: string[];
  dated?: object[];
}

interface Outcome {
  code: string;
  message: string;
}
type Send = (id: string, lists: Lists, idempotencyKey?: string) => Promise<Outcome>;

/** The alias mutations of one API. Each returns the code of its error, `ACCEPTED` or `REPLAYED`. */
export interface Api {
  add: Send;
  create: Send;
  createWithCustomer: Send;
  remove(id: string, value: string): Promise<unknown>;
  archive(id: string): Promise<unknown>;
}

function graphqlApi({ graphql: client }: RestClient): Api {
  const outcome = ({ replayed, code, message }: Json): Outcome =>
    replayed === undefined ? { code, message } : { code: replayed ? 'REPLAYED' : 'ACCEPTED', message: '' };
  const names = ({ aliases, dated }: Lists) => ({ aliases, datedAliases: dated });
  return {
    add: async (accountId, lists, idempotencyKey) =>
      outcome(await tryMutation(client, 'addAliases', { accountId, ...names(lists), idempotencyKey })),
    create: async (id, lists, idempotencyKey) =>
      outcome(
        await tryMutation(client, 'createAccount', accountInput({ id, ...names(lists), idempotencyKey })),
      ),
    createWithCustomer: async (id, lists, idempotencyKey) => {
      const account = { id, name: 'First', ...names(lists) };
      const input = customerInput({ id: `C-${id}`, account, idempotencyKey });
      return outcome(await tryMutation(client, 'createCustomer', input));
    },
    remove: (accountId, value) => mutate(client, 'removeAliases', { accountId, aliases: [value] }),
    archive: (id) => mutate(client, 'archiveAccount', { id }),
  };
}

function restApi(client: RestClient): Api {
  const outcome = ({ status, headers, body }: RestAnswer): Outcome => {
    if (status >= 400) return { code: headers.get('x-error-code') ?? '', message: body.message };
    return { code: headers.has('idempotent-replayed') ? 'REPLAYED' : 'ACCEPTED', message: '' };
  };
  const done = ({ status, body }: RestAnswer) => {
    if (status >= 400) throw new Error(JSON.stringify(body));
  };
  const names = ({ aliases, dated }: Lists) => ({ aliases, accountAliases: dated });
  const post = async (path: string, body: object, key?: string) =>
    outcome(await client.post(path, body, key === undefined ? {} : { 'Idempotency-Key': key }));
  return {
    add: (id, lists, key) => post(`/accounts/${id}/add_aliases`, names(lists), key),
    create: (id, lists, key) => post('/accounts', accountInput({ id, ...names(lists) }), key),
    createWithCustomer: (id, lists, key) => {
      const account = { id, name: 'First', ...names(lists) };
      return post('/customers', customerInput({ id: `C-${id}`, account }), key);
    },
    remove: async (id, value) =>
      done(await client.post(`/accounts/${id}/remove_aliases`, { aliases: [value] })),
    archive: async (id) => done(await client.delete(`/accounts/${id}`)),
  };
}

export const apis = { GraphQL: graphqlApi, REST: restApi };
/** The mutations that claim an alias. */
export const claimMutations = ['add', 'create', 'createWithCustomer'] as const;

/** A tenant with customer C1 and the accounts A1 and A2 without aliases. */
export interface AliasTenant {
  client: RestClient;
  api: Api;
}

/** Runs the service for the tests of a file, with tenants that write aliases over one of the APIs. */
export function useAliasApis() {
  const service = useService();
  const rest = useRest(service);
  return {
    service,
    async newTenant(name: keyof typeof apis): Promise<AliasTenant> {
      const client = rest.of(await tenantWithCustomer(service));
      await tryCreateAccounts(client.graphql, [accountInput(), accountInput({ id: 'A2' })]);
      return { client, api: apis[name](client) };
    },
  };
}

const timelineDocument = `query($id: ID!) { account(id: $id) {
  aliasTimeline { nodes { value effectiveFrom effectiveUntil } } } }`;

/** Returns the alias spans of an account as `[value, effectiveFrom, effectiveUntil]`. */
export async function spansOf({ client }: AliasTenant, id: string): Promise<Json[]> {
  const { data } = await client.graphql.send(timelineDocument, { id });
  const { nodes } = data.account.aliasTimeline;
  return nodes.map(({ value, effectiveFrom, effectiveUntil }: Json) => [
    value,
    effectiveFrom,
    effectiveUntil,
  ]);
}

/** Returns the latest end of an alias value of an account. */
export async function endOf(tenant: AliasTenant, id: string, value: string): Promise<string> {
  const found = (await spansOf(tenant, id)).filter(([name]) => name === value);
  return found
    .map(([, , until]) => until)
    .toSorted()
    .at(-1);
}
