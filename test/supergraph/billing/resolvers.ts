import { GraphQLError, GraphQLScalarType } from 'graphql';
import type { Accounts, BillableAccount } from './accounts.ts';
import {
  addInvoice,
  addUsage,
  type Invoice,
  type Ledger,
  sumsOf,
  type UsageEvent,
  usageUnder,
} from './store.ts';

/** The context of every resolver. */
export interface Context {
  request: Request;
  accounts: Accounts;
  ledger: Ledger;
}

interface Page {
  first: number;
  after?: string | null;
}

interface AliasRepresentation {
  value: string;
  effectiveFrom: string | null;
  effectiveUntil: string | null;
}

const mostEntries = 100;
const dayMs = 24 * 60 * 60 * 1000;

function badRequest(message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code: 'BAD_REQUEST' } });
}

function requireSize(first: number): void {
  if (first < 1 || first > mostEntries) throw badRequest(`\`first\` must be 1 to ${mostEntries}.`);
}

/** Returns a page of a list with ids as cursors. */
function connectionOf(invoices: readonly Invoice[], { first, after }: Page) {
  requireSize(first);
  const before = after == null ? -1 : invoices.findIndex(({ id }) => id === after);
  if (after != null && before === -1) throw badRequest('`after` must be a cursor of this list.');
  const nodes = invoices.slice(before + 1, before + 1 + first);
  return {
    nodes,
    edges: nodes.map((node) => ({ cursor: node.id, node })),
    pageInfo: {
      hasNextPage: before + 1 + nodes.length < invoices.length,
      hasPreviousPage: before >= 0,
      startCursor: nodes[0]?.id ?? null,
      endCursor: nodes.at(-1)?.id ?? null,
    },
  };
}

function tooSmall(message: string) {
  return { __typename: 'TooSmallError', code: 'TOO_SMALL', message };
}

function notBillable(accountId: string, account: BillableAccount | null) {
  const reason = account === null ? 'does not exist' : `is ${account.status}`;
  const message = `The account ${JSON.stringify(accountId)} ${reason}; invoice one that is ACTIVE.`;
  return { __typename: 'NotBillableError', code: 'NOT_BILLABLE', message, account };
}

async function issueInvoice(
  _: unknown,
  { input: { accountId, amount } }: { input: { accountId: string; amount: number } },
  { accounts, ledger, request }: Context,
) {
  if (amount < 1) return tooSmall('The amount must be at least 1.');
  const account = await accounts.billableAccount(request.headers, accountId);
  if (account?.status !== 'ACTIVE') return notBillable(accountId, account);
  const issuedAt = new Date();
  const invoice = addInvoice(ledger, {
    accountId: account.id,
    customerNodeId: account.customer.nodeId,
    currency: account.invoiceCurrency,
    amount,
    issuedAt,
    dueAt: new Date(issuedAt.getTime() + account.netTermDays * dayMs),
  });
  return { __typename: 'IssueInvoiceSuccess', invoice };
}

type NewUsage = Omit<UsageEvent, 'id' | 'at'> & { at?: Date | null };

function recordUsage(_: unknown, { input }: { input: NewUsage }, { ledger }: Context) {
  if (input.quantity <= 0) return tooSmall('The quantity must be more than 0.');
  const event = addUsage(ledger, { ...input, at: input.at ?? new Date() });
  return { __typename: 'RecordUsageSuccess', event };
}

function instant(value: unknown): Date {
  const parsed = new Date(typeof value === 'string' ? value : Number.NaN);
  if (Number.isNaN(parsed.getTime())) throw badRequest('A DateTime must be as in RFC 3339.');
  return parsed;
}

const DateTime = new GraphQLScalarType({
  name: 'DateTime',
  serialize: (value) => (value instanceof Date ? value.toISOString() : value),
  parseValue: instant,
  parseLiteral: (node) => instant('value' in node ? node.value : undefined),
});

const optional = (value: string | null) => (value === null ? null : new Date(value));

export const resolvers = {
  DateTime,
  Query: {
    invoice: (_: unknown, { id }: { id: string }, { ledger }: Context) =>
      ledger.invoices.find((invoice) => invoice.id === id) ?? null,
    invoices: (_: unknown, page: Page, { ledger }: Context) => connectionOf(ledger.invoices, page),
    recentUsage(_: unknown, { first }: { first: number }, { ledger }: Context) {
      requireSize(first);
      return ledger.usage.slice(0, first);
    },
  },
  Mutation: { issueInvoice, recordUsage },
  Account: {
    __resolveReference: (account: object) => account,
    invoices: ({ id }: { id: string }, page: Page, { ledger }: Context) =>
      connectionOf(
        ledger.invoices.filter(({ accountId }) => accountId === id),
        page,
      ),
    usage({ id, aliases }: { id: string; aliases: AliasRepresentation[] }, _: unknown, { ledger }: Context) {
      const spans = aliases.map(({ value, effectiveFrom, effectiveUntil }) => ({
        value,
        effectiveFrom: optional(effectiveFrom),
        effectiveUntil: optional(effectiveUntil),
      }));
      const own = { value: id, effectiveFrom: null, effectiveUntil: null };
      return usageUnder(ledger, [own, ...spans]).slice(0, mostEntries);
    },
  },
  Customer: {
    __resolveReference: (customer: object) => customer,
    invoiced: ({ nodeId }: { nodeId: string }, _: unknown, { ledger }: Context) =>
      sumsOf(ledger.invoices.filter(({ customerNodeId }) => customerNodeId === nodeId)),
  },
  Invoice: {
    __resolveReference: ({ id }: { id: string }, { ledger }: Context) =>
      ledger.invoices.find((invoice) => invoice.id === id) ?? null,
    account: ({ accountId }: Invoice) => ({ id: accountId }),
    customer: ({ customerNodeId }: Invoice) => ({ nodeId: customerNodeId }),
    total: ({ currency, amount }: Invoice) => ({ currency, amount }),
  },
  UsageEvent: {
    __resolveReference: ({ id }: { id: string }, { ledger }: Context) =>
      ledger.usage.find((event) => event.id === id) ?? null,
    account: ({ alias, at }: UsageEvent) => ({ alias, effectiveOn: at }),
  },
};
