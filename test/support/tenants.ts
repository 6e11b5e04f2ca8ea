import { pino } from 'pino';
import { createContext } from '../../src/context.ts';
import type { Ctx } from '../../src/ctx.ts';
import { createCancel } from '../../src/lib/cancel.ts';
import type { TenantRow } from '../../src/tenant/table.ts';
import type { Client, Json, Service } from './service.ts';

export const tenantFields = 'name baseCurrency netTermDays version createdAt updatedAt';
const changeFields = 'version at actor requestId before after';

/** Returns a tenant that is in no database, or the viewer's part of one that is. */
export function tenantRow(id: number, fields: Partial<TenantRow> = {}): TenantRow {
  const terms = { baseCurrency: 'EUR', netTermDays: 30 };
  return { id, name: 'test', ...terms, version: 1, createdAt: new Date(), updatedAt: null, ...fields };
}

const updateDocument = `mutation($input: UpdateTenantInput!) { updateTenant(input: $input) {
  __typename ... on UpdateTenantSuccess { replayed tenant { ${tenantFields} } }
  ... on Error { code message ... on InvalidInputError { issues { path code message } }
    ... on VersionConflictError { currentVersion } ... on NameTakenError { name } } } }`;

/** Sends `updateTenant` and returns its result, a success or an error. */
export async function tryUpdateTenant(
  client: Client,
  input: object,
  headers?: Record<string, string>,
): Promise<Json> {
  const { data, errors } = await client.send(updateDocument, { input }, headers);
  if (errors !== undefined) throw new Error(JSON.stringify(errors));
  return data.updateTenant;
}

/** Changes the tenant, which must succeed, and returns it. */
export async function updateTenant(client: Client, input: object): Promise<Json> {
  const result = await tryUpdateTenant(client, input);
  if (result.replayed === undefined) throw new Error(JSON.stringify(result));
  return result.tenant;
}

/** Returns the tenant with its history, newest change first. */
export async function readTenant(client: Client): Promise<Json> {
  const document = `{ viewer { tenant { ${tenantFields} history(first: 100) { nodes { ${changeFields} } } } } }`;
  const { data, errors } = await client.send(document);
  if (errors !== undefined) throw new Error(JSON.stringify(errors));
  const { history, ...tenant } = data.viewer.tenant;
  return { ...tenant, history: history.nodes };
}

/** Returns the context of a request to a tenant at an instant, without the authentication of a token. */
export function contextAt({ database }: Service, { tenantId }: Pick<Client, 'tenantId'>, now: Date): Ctx {
  const viewer = { tenant: tenantRow(tenantId), keyName: 't', scopes: [], expiresAt: null, actor: 'test' };
  const caller = { viewer, requestId: 'request', now, cancel: createCancel() };
  return createContext({ database, log: pino({ level: 'silent' }) }, caller);
}
