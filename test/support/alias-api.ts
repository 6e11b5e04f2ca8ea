import { accountInput, customerInput, tenantWithCustomer } from './account.ts';
import { createBatch, mutate, mutated } from './mutations.ts';
import type { RestAnswer, RestClient, RestService } from './rest.ts';
import type { Json, Service } from './service.ts';

export const span = (value: string, effectiveFrom?: string, effectiveUntil?: string) => ({
  value,
  ...(effectiveFrom && { effectiveFrom }),
  ...(effectiveUntil && { effectiveUntil }),
});
export interface Lists {
  aliases?: string[];
  dated?: object[];
}

interface Outcome {
  code: string;
  message: string;
}
type Send = (id: string, lists: Lists, idempotencyKey?: string) => Promise<Outcome>;

/** The writes of aliases over one API. Each returns the code of its refusal, or ACCEPTED or REPLAYED. */
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
      outcome(await mutate(client, 'addAliases', { accountId, ...names(lists), idempotencyKey })),
    create: async (id, lists, idempotencyKey) =>
      outcome(await mutate(client, 'createAccount', accountInput({ id, ...names(lists), idempotencyKey }))),
    createWithCustomer: async (id, lists, idempotencyKey) => {
      const account = { id, name: 'First', ...names(lists) };
      const input = customerInput({ id: `C-${id}`, account, idempotencyKey });
      return outcome(await mutate(client, 'createCustomer', input));
    },
    remove: (accountId, value) => mutated(client, 'removeAliases', { accountId, aliases: [value] }),
    archive: (id) => mutated(client, 'archiveAccount', { id }),
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
export const ways = ['add', 'create', 'createWithCustomer'] as const;

export interface AliasWorld {
  client: RestClient;
  api: Api;
}

/** A tenant with the customer C1 and the accounts A1 and A2, without aliases. */
export async function newAliasWorld(
  service: Service,
  rest: RestService,
  name: keyof typeof apis,
): Promise<AliasWorld> {
  const client = rest.of(await tenantWithCustomer(service));
  await createBatch(client.graphql, [accountInput(), accountInput({ id: 'A2' })]);
  return { client, api: apis[name](client) };
}

const timelineDocument = `query($id: ID!) { account(id: $id) {
  aliasTimeline { nodes { value effectiveFrom effectiveUntil } } } }`;

/** The spans of an account as `[value, effectiveFrom, effectiveUntil]`. */
export async function spansOf({ client }: AliasWorld, id: string): Promise<Json[]> {
  const { data } = await client.graphql.send(timelineDocument, { id });
  const { nodes } = data.account.aliasTimeline;
  return nodes.map(({ value, effectiveFrom, effectiveUntil }: Json) => [
    value,
    effectiveFrom,
    effectiveUntil,
  ]);
}

/** The latest end of a value as an alias of an account. */
export async function endOf(world: AliasWorld, id: string, value: string): Promise<string> {
  const found = (await spansOf(world, id)).filter(([name]) => name === value);
  return found
    .map(([, , until]) => until)
    .toSorted()
    .at(-1);
}
