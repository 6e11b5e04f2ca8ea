import { GraphQLError } from 'graphql';

/** The requests to the accounts subgraph: the tenant of the caller, and the billing fields of an account. */
export interface Accounts {
  /** Returns the tenant of the caller's token. Throws the UNAUTHENTICATED error of the accounts subgraph. */
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

/** Returns the forwarded headers of the caller: the token and the trace. */
function forwardedHeaders(caller: Headers): Record<string, string> {
  const names = ['authorization', 'traceparent', 'tracestate'];
  return Object.fromEntries(names.flatMap((name) => [[name, caller.get(name)]]).filter(([, value]) => value));
}

async function ask<Data>(url: string, caller: Headers, query: string, variables = {}): Promise<Data> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...forwardedHeaders(caller) },
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
  if (data === undefined) throw new Error('The accounts subgraph returned neither data nor errors.');
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
