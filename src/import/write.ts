import type { Logger } from 'pino';
import { createAccounts } from '../account/create.ts';
import { accountByKey, customerByKey } from '../account/read.ts';
import { addAliases } from '../account-aliases/write.ts';
import { createContext } from '../context.ts';
import type { Ctx, Loader } from '../ctx.ts';
import { createCustomers } from '../customer/create.ts';
import type { StatementRunner } from '../db/client.ts';
import { createCancel } from '../lib/cancel.ts';
import { byId, type EntityKey } from '../lib/entity-key.ts';
import { AppError } from '../lib/errors.ts';
import { createGate } from '../lib/gate.ts';
import { scopes } from '../lib/scope.ts';
import { putSettings } from '../owner-settings/write.ts';
import type { TenantRow } from '../tenant/table.ts';
import { IdTakenError } from '../writing/errors.ts';
import { layersOf, type Plan } from './plan.ts';
import { createdByRequest } from './read.ts';
import type { ExistingMode } from './rules.ts';
import { type Existing, update } from './update.ts';

export type Outcome = 'created' | 'updated' | 'unchanged' | 'skipped' | AppError;

export interface ImportTarget {
  database: StatementRunner;
  tenant: TenantRow;
  log: Logger;
  onExisting: ExistingMode;
}

/** What the plans of one call have in common. */
export interface Window {
  /** The request id of their changes. */
  requestId: string;
  /** Whether an import that ended early may have written some of them. */
  isRepeated: boolean;
}

/** A write of the plans of a window. */
interface Writing extends ImportTarget {
  requestId: string;
  /** The plans that the import may have written before: the first of each id, because its creation is known. */
  repeated: ReadonlySet<Plan>;
  outcomes: Map<Plan, Outcome>;
}

const batchSize = 100;
/** More concurrent batches only wait for the cores. */
export const maxConcurrentBatches = 4;

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

function newContext({ tenant, log, requestId }: Writing, runner: StatementRunner): Ctx {
  const caller = { viewer: { ...viewer, tenant }, requestId, now: new Date(), cancel: createCancel() };
  return createContext({ database: runner, log }, caller);
}

function inTransaction(writing: Writing, work: (ctx: Ctx) => Promise<Outcome>): Promise<Outcome> {
  return refusalOf(writing.database.inOneTransaction((runner) => work(newContext(writing, runner))));
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

/** Returns the ids that the same window created before the import was resumed. */
async function findCreated(ctx: Ctx, plans: readonly Plan[]): Promise<Set<string>> {
  if (plans.length === 0) return new Set();
  const idsOf = (type: Plan['type']) =>
    plans.filter((plan) => plan.type === type).map((plan) => plan.create.id);
  const { requestId } = ctx;
  const values = { requestId, accountIds: idsOf('account'), customerIds: idsOf('customer') };
  return new Set((await ctx.run(createdByRequest, values)).map(({ id }) => id));
}

async function writeExisting(writing: Writing, plan: Plan, row: Existing): Promise<Outcome> {
  const { id } = plan.create;
  if (writing.onExisting === 'skip') return 'skipped';
  if (writing.onExisting === 'fail') {
    const isArchived = row.status === 'ARCHIVED';
    return plan.type === 'account'
      ? new IdTakenError('Account', id, id, isArchived)
      : new IdTakenError('Customer', id, null, isArchived);
  }
  return inTransaction(writing, async (ctx) => {
    await update(ctx, plan, row);
    ctx.forget();
    const after = (await findExisting(ctx, [plan])).get(plan);
    return after?.version === row.version ? 'unchanged' : 'updated';
  });
}

/** Writes plans of one type whose names differ. */
async function writeBatch(writing: Writing, plans: readonly Plan[]): Promise<void> {
  const { database, repeated, outcomes } = writing;
  const ctx = newContext(writing, database);
  const existing = await findExisting(ctx, plans);
  const created = await findCreated(
    ctx,
    [...existing.keys()].filter((plan) => repeated.has(plan)),
  );
  const simple: Plan[] = [];
  for (const plan of plans) {
    const row = existing.get(plan);
    if (row !== undefined) {
      const isDone = repeated.has(plan) && created.has(plan.create.id);
      outcomes.set(plan, isDone ? 'created' : await writeExisting(writing, plan, row));
    } else if (needsOneCall(plan)) simple.push(plan);
    else outcomes.set(plan, await inTransaction(writing, (own) => createWhole(own, plan)));
  }
  if (simple.length === 0) return;
  const results = await create(ctx, simple);
  simple.forEach((plan, index) => {
    const result = results[index];
    if (result !== undefined) outcomes.set(plan, result);
  });
}

/** Returns the first plan of each id. */
function firstsOf(plans: readonly Plan[]): Set<Plan> {
  const firsts = new Map<string, Plan>();
  for (const plan of plans) {
    const key = `${plan.type} ${plan.create.id}`;
    if (!firsts.has(key)) firsts.set(key, plan);
  }
  return new Set(firsts.values());
}

/**
 * Returns a function that writes the plans of a window: customers before accounts, each plan completely or not at all.
 * It returns the outcomes in the order of the plans.
 */
export function createWriter(target: ImportTarget) {
  return async (plans: readonly Plan[], { requestId, isRepeated }: Window): Promise<Outcome[]> => {
    const outcomes = new Map<Plan, Outcome>();
    const repeated = isRepeated ? firstsOf(plans) : new Set<Plan>();
    const writing = { ...target, requestId, repeated, outcomes };
    const inParallel = createGate({ width: maxConcurrentBatches, failsAll: () => true });
    for (const type of ['customer', 'account'] as const) {
      for (const layer of layersOf(plans.filter((plan) => plan.type === type))) {
        const batches = chunksOf(layer, batchSize);
        await Promise.all(batches.map((batch) => inParallel(() => writeBatch(writing, batch))));
      }
    }
    return plans.map((plan) => {
      const outcome = outcomes.get(plan);
      if (outcome === undefined) throw new Error('A record has no outcome.');
      return outcome;
    });
  };
}
