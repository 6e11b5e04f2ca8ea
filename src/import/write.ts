import { sql } from 'drizzle-orm';
import type { Logger } from 'pino';
import { createAccounts } from '../account/create.ts';
import { accountByKey, customerByKey } from '../account/read.ts';
import { addAliases } from '../account-aliases/write.ts';
import { createContext } from '../context.ts';
import type { Ctx, Loader } from '../ctx.ts';
import { createCustomers } from '../customer/create.ts';
import type { StatementRunner } from '../db/client.ts';
import { tenantId } from '../db/rows.ts';
import { statement } from '../db/statement.ts';
import { changes } from '../history/table.ts';
import { createCancel } from '../lib/cancel.ts';
import { byId, type EntityKey } from '../lib/entity-key.ts';
import { AppError } from '../lib/errors.ts';
import { createGate } from '../lib/gate.ts';
import { scopes } from '../lib/scope.ts';
import { putSettings } from '../owner-settings/write.ts';
import type { TenantRow } from '../tenant/table.ts';
import { IdTakenError } from '../writing/errors.ts';
import { layersOf, type Plan } from './plan.ts';
import { type Existing, update } from './update.ts';

/** What happens to a record whose id exists. */
export const existingModes = ['fail', 'skip', 'update'] as const;
export type ExistingMode = (typeof existingModes)[number];

export type Outcome = 'created' | 'updated' | 'unchanged' | 'skipped' | AppError;

export interface ImportTarget {
  database: StatementRunner;
  tenant: TenantRow;
  log: Logger;
  /** The request id of all changes of the import, also after it is resumed. */
  requestId: string;
  onExisting: ExistingMode;
}

const batchSize = 100;
/** More concurrent batches only wait for the cores. */
export const maxConcurrentBatches = 4;

const createdByRequest = statement('created_by_request', (orm) =>
  orm
    .select({ id: sql<string>`coalesce(${changes.accountId}, ${changes.customerId})` })
    .from(changes)
    .where(
      sql`${changes.tenantId} = ${tenantId} and ${changes.version} = 1
        and ${changes.requestId} = ${sql.placeholder('requestId')}
        and (${changes.accountId} = any(${sql.placeholder('accountIds')})
          or (${changes.accountId} is null and ${changes.customerId} = any(${sql.placeholder('customerIds')})))`,
    ),
);

/** Creates the customers or accounts of plans of one type. Returns the results in their order. */
async function create(ctx: Ctx, plans: readonly Plan[]): Promise<Outcome[]> {
  const customers = plans.flatMap((plan) => (plan.type === 'customer' ? [plan.create] : []));
  const accounts = plans.flatMap((plan) => (plan.type === 'account' ? [plan.create] : []));
  const results =
    customers.length > 0 ? await createCustomers(ctx, customers) : await createAccounts(ctx, accounts);
  return results.map((result) => (result instanceof AppError ? result : 'created'));
}

/** Creates one customer or account, and adds what its creation has no room for. */
async function createWhole(ctx: Ctx, plan: Plan): Promise<Outcome> {
  const [outcome] = await create(ctx, [plan]);
  if (outcome instanceof AppError) throw outcome;
  if (plan.type === 'account') for (const call of plan.moreAliases) await addAliases(ctx, call);
  for (const call of plan.moreSettings) await putSettings(ctx, call);
  return 'created';
}

const needsOneCall = (plan: Plan): boolean =>
  plan.moreSettings.length === 0 && (plan.type === 'customer' || plan.moreAliases.length === 0);

async function refusalOf(work: Promise<Outcome>): Promise<Outcome> {
  return work.catch((error: unknown) => {
    if (error instanceof AppError) return error;
    throw error;
  });
}

function chunksOf<T>(elements: readonly T[], size: number): T[][] {
  const chunks: T[][] = [];
  for (let start = 0; start < elements.length; start += size)
    chunks.push(elements.slice(start, start + size));
  return chunks;
}

/** The actor of the changes that imports make. */
const viewer = { keyName: 'import', scopes, expiresAt: null, actor: 'cli:import' };

function newContext({ tenant, log, requestId }: ImportTarget, runner: StatementRunner): Ctx {
  const caller = { viewer: { ...viewer, tenant }, requestId, now: new Date(), cancel: createCancel() };
  return createContext({ database: runner, log }, caller);
}

function inTransaction(target: ImportTarget, work: (ctx: Ctx) => Promise<Outcome>): Promise<Outcome> {
  return refusalOf(target.database.inOneTransaction((runner) => work(newContext(target, runner))));
}

async function findExisting(ctx: Ctx, plans: readonly Plan[]): Promise<Map<Plan, Existing>> {
  const find = async (plan: Plan): Promise<[Plan, Existing][]> => {
    const key = byId(plan.create.id);
    const loader: Loader<EntityKey, Existing | null> = plan.type === 'account' ? accountByKey : customerByKey;
    const row = await ctx.load(loader, key);
    return row === null ? [] : [[plan, row]];
  };
  return new Map((await Promise.all(plans.map(find))).flat());
}

/** Returns the ids that the import has created, before it ended and was resumed. */
async function findCreated(ctx: Ctx, plans: readonly Plan[]): Promise<Set<string>> {
  const idsOf = (type: Plan['type']) =>
    plans.filter((plan) => plan.type === type).map((plan) => plan.create.id);
  const { requestId } = ctx;
  const values = { requestId, accountIds: idsOf('account'), customerIds: idsOf('customer') };
  return new Set((await ctx.run(createdByRequest, values)).map(({ id }) => id));
}

async function writeExisting(target: ImportTarget, plan: Plan, row: Existing): Promise<Outcome> {
  const { id } = plan.create;
  if (target.onExisting === 'skip') return 'skipped';
  if (target.onExisting === 'fail') {
    const isArchived = row.status === 'ARCHIVED';
    return plan.type === 'account'
      ? new IdTakenError('Account', id, id, isArchived)
      : new IdTakenError('Customer', id, null, isArchived);
  }
  return inTransaction(target, async (ctx) => {
    await update(ctx, plan, row);
    ctx.forget();
    const after = (await findExisting(ctx, [plan])).get(plan);
    return after?.version === row.version ? 'unchanged' : 'updated';
  });
}

/** Writes plans of one type whose names differ. */
async function writeBatch(
  target: ImportTarget,
  plans: readonly Plan[],
  { isRepeated, outcomes }: { isRepeated: boolean; outcomes: Map<Plan, Outcome> },
): Promise<void> {
  const ctx = newContext(target, target.database);
  const existing = await findExisting(ctx, plans);
  const created = isRepeated ? await findCreated(ctx, [...existing.keys()]) : new Set<string>();
  const simple: Plan[] = [];
  for (const plan of plans) {
    const row = existing.get(plan);
    if (row !== undefined) {
      const isDone = created.has(plan.create.id);
      outcomes.set(plan, isDone ? 'created' : await writeExisting(target, plan, row));
    } else if (needsOneCall(plan)) simple.push(plan);
    else outcomes.set(plan, await inTransaction(target, (own) => createWhole(own, plan)));
  }
  if (simple.length === 0) return;
  const results = await create(ctx, simple);
  simple.forEach((plan, index) => {
    const result = results[index];
    if (result !== undefined) outcomes.set(plan, result);
  });
}

/**
 * Returns a function that writes plans: customers before accounts, each plan completely or not at all. It returns the
 * outcomes in the order of the plans. With `isRepeated`, the import may have written some before it was resumed.
 */
export function createWriter(target: ImportTarget) {
  return async (plans: readonly Plan[], isRepeated: boolean): Promise<Outcome[]> => {
    const outcomes = new Map<Plan, Outcome>();
    const inParallel = createGate({ width: maxConcurrentBatches, failsAll: () => true });
    for (const type of ['customer', 'account'] as const) {
      for (const layer of layersOf(plans.filter((plan) => plan.type === type))) {
        const write = (batch: Plan[]) =>
          inParallel(() => writeBatch(target, batch, { isRepeated, outcomes }));
        await Promise.all(chunksOf(layer, batchSize).map(write));
      }
    }
    return plans.map((plan) => {
      const outcome = outcomes.get(plan);
      if (outcome === undefined) throw new Error('A record has no outcome.');
      return outcome;
    });
  };
}
