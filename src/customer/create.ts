import { sql } from 'drizzle-orm';
import {
  type CreatedAccount,
  claimSettler,
  createSteps,
  creationChange,
  newAccountRows,
  primeCreated,
  reviveCreated,
  takenConstraints,
} from '../account/create.ts';
import { customerByKey } from '../account/read.ts';
import { accounts } from '../account/table.ts';
import { explainClash } from '../account/write.ts';
import { toAddressColumns } from '../address/rules.ts';
import { aliasRecords, type NewAlias } from '../alias/write.ts';
import type { Ctx, Run } from '../ctx.ts';
import { insertedFrom, recordset, revive } from '../db/rows.ts';
import { type Statement, statement } from '../db/statement.ts';
import { changeRow, insertChanges } from '../history/write.ts';
import { byId } from '../lib/entity-key.ts';
import type { AppError } from '../lib/errors.ts';
import { newUuid } from '../lib/id.ts';
import { insertSettings, type NewSetting, newSettings, settingHistory } from '../setting/write.ts';
import { IdTakenError } from '../writing/errors.ts';
import {
  type KeyValues,
  keyColumns,
  keyFields,
  keyPlaceholders,
  keySteps,
  keyValues,
  recordAnswers,
  type Written,
} from '../writing/idempotency.ts';
import { byPlace, latestCtx, onlyResult, type WriteResult, writeEach } from '../writing/write-each.ts';
import type { CreateCustomerInput } from './rules.ts';
import { type CustomerRow, customers, snapshot } from './table.ts';
import { primeCustomer } from './write.ts';

/** A new customer with its settings and, if given, its first account. */
export interface CreatedCustomer {
  customer: CustomerRow;
  settings: NewSetting[];
  account: CreatedAccount | null;
}

function newCustomer(ctx: Ctx, input: CreateCustomerInput): CreatedCustomer {
  const customer: CustomerRow = {
    tenantId: ctx.viewer.tenant.id,
    id: input.id,
    nodeId: newUuid(),
    name: input.name,
    status: 'ACTIVE',
    primaryEmail: input.primaryEmail,
    ...toAddressColumns(input.address),
    metadata: input.metadata ?? {},
    version: 1,
    createdAt: ctx.now,
    updatedAt: ctx.now,
  };
  return {
    customer,
    settings: newSettings('CUSTOMER', input.id, input.settings ?? []),
    account: input.account ? newAccountRows(ctx, { ...input.account, customerId: input.id }) : null,
  };
}

const createCustomersStatement = statement('create_customers', (orm) => {
  const input = orm.$with('input').as(
    orm
      .select({
        ...insertedFrom(customers, 'input'),
        ...keyFields,
        place: sql<number>`input.place`.as('place'),
      })
      .from(recordset(customers, 'input', { ...keyColumns, place: 'integer' })),
  );
  const newAccount = orm
    .$with('new_account')
    .as(orm.select(insertedFrom(accounts, 'newAccount')).from(recordset(accounts, 'newAccount')));
  const { steps, isFresh, joins, outcome } = keySteps(orm, true);
  const first = createSteps(orm, 'new_account', sql`true`);
  // All writers lock names first, and then insert customers in the same order, so that they cannot deadlock.
  const customer = orm.$with('customer').as(
    orm
      .insert(customers)
      .select(
        orm
          .select(insertedFrom(customers, 'input'))
          .from(sql`input`)
          .where(sql`${first.isLocked} and ${isFresh}`)
          .orderBy(sql`input.id`),
      )
      .returning({ id: customers.id, status: customers.status }),
  );
  const ids = sql`select customer.id from customer`;
  const setting = insertSettings(orm, { name: 'customer_setting', ownerType: 'CUSTOMER', ids });
  const change = insertChanges(
    orm,
    'customer_change',
    sql`"newChange"."accountId" is null and "newChange"."customerId" in (${ids})`,
  );
  const record = recordAnswers(orm, sql`input join customer on customer.id = input.id`);
  return orm
    .with(
      ...[input, newAccount, ...steps, first.wanted, first.locked, customer, first.account],
      ...[first.claimed, first.forgotten, first.setting, first.change, setting, change, record],
    )
    .select({
      place: sql<number>`input.place`,
      customerId: sql<string | null>`customer.id`,
      ...outcome,
    })
    .from(sql`input ${joins}`)
    .leftJoin(customer, sql`customer.id = input.id`);
});

function creationChanges(ctx: Ctx, { customer, settings, account }: CreatedCustomer) {
  const change = changeRow(ctx, {
    kind: 'CUSTOMER_CREATED',
    customerId: customer.id,
    accountId: null,
    version: customer.version,
    before: null,
    after: { ...snapshot(customer), ...settingHistory(settings) },
  });
  return account === null ? [change] : [change, creationChange(ctx, account)];
}

function reviveCustomer(answer: unknown): CreatedCustomer {
  const created = answer as CreatedCustomer;
  return {
    customer: revive(customers, created.customer),
    settings: created.settings,
    account: created.account === null ? null : reviveCreated(created.account),
  };
}

interface Attempt {
  ctx: Ctx;
  input: CreateCustomerInput;
  /** The claims of the first account as given in the input. `rows` has them as they are written. */
  claims: NewAlias[];
  rows: CreatedCustomer;
  key: KeyValues;
}

function newAttempt(ctx: Ctx, input: CreateCustomerInput): Attempt {
  const rows = newCustomer(ctx, input);
  const key = keyValues('createCustomer', input, rows);
  return { ctx, input, claims: rows.account?.aliases ?? [], rows, key };
}

function setClaims(attempt: Attempt, account: CreatedAccount, claims: NewAlias[]): void {
  attempt.rows = { ...attempt.rows, account: { ...account, aliases: claims } };
  attempt.key = keyValues('createCustomer', attempt.input, attempt.rows);
}

type Outcome = typeof createCustomersStatement extends Statement<(infer Row)[]> ? Row : never;

async function insertCustomers(run: Run, attempts: readonly Attempt[]): Promise<Map<Attempt, Outcome>> {
  const input = attempts.map(({ rows, key }, place) => ({ ...rows.customer, ...key, place }));
  const firsts = attempts.flatMap(({ rows }) => rows.account ?? []);
  const settings = [...attempts.map(({ rows }) => rows), ...firsts].flatMap((owner) => owner.settings);
  const outcomes = await run(createCustomersStatement, {
    ...keyPlaceholders(latestCtx(attempts)),
    input: JSON.stringify(input),
    newAccount: JSON.stringify(firsts.map(({ account }) => account)),
    newAlias: aliasRecords(firsts.flatMap(({ aliases }) => aliases)),
    newSetting: JSON.stringify(settings),
    newChange: JSON.stringify(attempts.flatMap(({ ctx, rows }) => creationChanges(ctx, rows))),
  });
  return byPlace(attempts, outcomes);
}

/** Returns the refused attempts: the customer's id, or a name of the first account, is in use. */
async function settleAttempts(ctx: Ctx, attempts: readonly Attempt[]): Promise<Map<Attempt, AppError>> {
  ctx.forget();
  const holders = await Promise.all(
    attempts.map(async ({ input }) => ctx.load(customerByKey, byId(input.id))),
  );
  const settle = await claimSettler(
    ctx,
    attempts.flatMap(({ claims }) => claims),
  );
  const refused = new Map<Attempt, AppError>();
  const taken = new Map(holders.flatMap((holder) => (holder === null ? [] : [[holder.id, holder.status]])));
  const check = async (attempt: Attempt) => {
    const { id } = attempt.input;
    const { account } = attempt.rows;
    // Before the first await, so that the attempts are settled in their order.
    const status = taken.get(id);
    if (status !== undefined) {
      refused.set(attempt, new IdTakenError('Customer', id, null, status === 'ARCHIVED'));
      return;
    }
    const settled = settle(attempt.claims);
    if (account !== null && settled.clashes.length > 0) {
      refused.set(attempt, await explainClash(ctx, account.account.id, settled));
      return;
    }
    taken.set(id, 'ACTIVE');
    if (account !== null) setClaims(attempt, account, settled.claims);
  };
  await Promise.all(attempts.map(check));
  return refused;
}

/** Primes the loaders with a new customer and its account, so that the response needs no further statement. */
function showCreated(ctx: Ctx, created: CreatedCustomer): CreatedCustomer {
  const { customer, settings, account } = created;
  const { tenantId } = customer;
  primeCustomer(ctx, customer, { settings: settings.map((setting) => ({ ...setting, tenantId })) });
  if (account !== null) primeCreated(ctx, account);
  return created;
}

/**
 * Creates customers with their settings, their history and, if given, their first accounts, all in one statement. A
 * refused customer does not affect the others. Returns the results in the order of the inputs.
 */
export function createCustomers(
  ctx: Ctx,
  inputs: readonly CreateCustomerInput[],
): Promise<WriteResult<CreatedCustomer>[]> {
  const attempts = inputs.map((input) => newAttempt(ctx, input));
  return writeEach<Attempt, Outcome, CreatedCustomer>(ctx, attempts, {
    group: 'create_customers',
    constraints: ['customers_pkey', ...takenConstraints],
    write: insertCustomers,
    rowOf({ rows }, { customerId }) {
      if (customerId === null) throw new Error('A customer was neither created nor refused.');
      return showCreated(ctx, rows);
    },
    revive: (answer) => showCreated(ctx, reviveCustomer(answer)),
    settle: (open) => settleAttempts(ctx, open),
  });
}

/** Creates one customer. Throws the AppError that explains a refusal. */
export async function createCustomer(
  ctx: Ctx,
  input: CreateCustomerInput,
): Promise<Written<CreatedCustomer>> {
  return onlyResult(await createCustomers(ctx, [input]));
}
