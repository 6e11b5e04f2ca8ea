import { randomUUID } from 'node:crypto';

export interface UsageEvent {
  id: string;
  /** The alias of the account in the meter. */
  alias: string;
  meter: string;
  quantity: number;
  at: Date;
}

export interface Invoice {
  id: string;
  accountId: string;
  /** The customer's node id, which is unique across tenants, unlike the id. */
  customerNodeId: string;
  currency: string;
  amount: number;
  issuedAt: Date;
  dueAt: Date;
}

/** The entries of a tenant, newest first. */
export interface Ledger {
  usage: UsageEvent[];
  invoices: Invoice[];
}

export interface Store {
  ledgerOf(tenant: string): Ledger;
}

/** Keeps usage and invoices in memory, because this subgraph only demonstrates joins. */
export function createStore(): Store {
  const ledgers = new Map<string, Ledger>();
  return {
    ledgerOf(tenant) {
      const ledger = ledgers.get(tenant) ?? { usage: [], invoices: [] };
      ledgers.set(tenant, ledger);
      return ledger;
    },
  };
}

export function addUsage({ usage }: Ledger, event: Omit<UsageEvent, 'id'>): UsageEvent {
  const added = { id: randomUUID(), ...event };
  usage.push(added);
  usage.sort((a, b) => b.at.getTime() - a.at.getTime());
  return added;
}

export function addInvoice({ invoices }: Ledger, invoice: Omit<Invoice, 'id'>): Invoice {
  const added = { id: randomUUID(), ...invoice };
  invoices.unshift(added);
  return added;
}

interface Span {
  value: string;
  effectiveFrom: Date | null;
  effectiveUntil: Date | null;
}

/** What was used under any of these names, each while it held. */
export function usageUnder({ usage }: Ledger, names: readonly Span[]): UsageEvent[] {
  const holds = (name: Span, { alias, at }: UsageEvent) =>
    name.value === alias &&
    (name.effectiveFrom === null || name.effectiveFrom <= at) &&
    (name.effectiveUntil === null || at < name.effectiveUntil);
  return usage.filter((event) => names.some((name) => holds(name, event)));
}

/** Sums up by currency. */
export function sumsOf(invoices: readonly Invoice[]): { currency: string; amount: number }[] {
  const sums = new Map<string, number>();
  for (const { currency, amount } of invoices) sums.set(currency, (sums.get(currency) ?? 0) + amount);
  return [...sums].map(([currency, amount]) => ({ currency, amount }));
}
