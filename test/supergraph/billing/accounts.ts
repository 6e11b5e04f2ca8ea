import { GraphQLError } from 'graphql';

/** What is asked of the accounts' subgraph directly: who calls, and how an account is billed. */
export interface Accounts {
  /** The tenant of the caller's token. Throws UNAUTHENTICATED as the accounts' subgraph says it. */
  tenantOf(caller: Headers): Promise<string>;
  billableAccount(caller: Headers, id: string): Promise<BillableAccount | null>;
}

export interface BillableAccount {
  id: string;
  status: string;
  invoiceCurrency: string;
  netTermDays: number;
  customer: { nodeId: string };
}

interface Answer<Data> {
  data?: Data;
  errors?: { message: string; extensions?: { code?: string } }[];
}

/** The caller's headers that go along: whom the request is for, and the trace it belongs to. */
function passedOn(caller: Headers): Record<string, string> {
  const names = ['authorization', 'traceparent', 'tracestate'];
  return Object.fromEntries(names.flatMap((name) => [[name, caller.get(name)]]).filter(([, value]) => value));
}

async function ask<Data>(url: string, caller: Headers, query: string, variables = {}): Promise<Data> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...passedOn(caller) },
    body: JSON.stringify({ query, variables }),
    signal: AbortSignal.timeout(5000),
  });
  const { data, errors } = (await response.json()) as Answer<Data>;
  const [error] = errors ?? [];
  if (error !== undefined) {
    const code = error.extensions?.code;
    const status = code === 'UNAUTHENTICATED' ? 401 : 200;
    throw new GraphQLError(error.message, { extensions: { code, http: { status } } });
  }
  if (data === undefined) throw new Error('The accounts answered with neither data nor errors.');
  return data;
}

export function accountsAt(url: string): Accounts {
  return {
    async tenantOf(caller) {
      type Data = { viewer: { tenant: { name: string } } };
      const { viewer } = await ask<Data>(url, caller, '{ viewer { tenant { name } } }');
      return viewer.tenant.name;
    },
    async billableAccount(caller, id) {
      const query = `query BillableAccount($id: ID!) {
        account(id: $id) { id status invoiceCurrency netTermDays customer { nodeId } }
      }`;
      const { account } = await ask<{ account: BillableAccount | null }>(url, caller, query, { id });
      return account;
    },
  };
}
