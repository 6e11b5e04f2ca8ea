import { sql } from 'drizzle-orm';
import {
  type CreatedAccount,
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
import { settleClaims } from '../alias/rules.ts';
import { aliasRecords, findConflictingClaims } from '../alias/write.ts';
import type { Ctx } from '../ctx.ts';
import { isViolation } from '../db/constraint.ts';
import { fieldsOf, insertedFrom, recordset, revive } from '../db/rows.ts';
import { statement } from '../db/statement.ts';
import { changeRow, insertChanges } from '../history/write.ts';
import { byId } from '../lib/entity-key.ts';
import { AppError } from '../lib/errors.ts';
import { newUuid } from '../lib/id.ts';
import { insertSettings, type NewSetting, newSettings, settingHistory } from '../setting/write.ts';
import { IdTakenError } from '../writing/errors.ts';
import {
  earlierAnswer,
  type KeyValues,
  keyColumns,
  keyFields,
  keyPlaceholders,
  keySteps,
  keyValues,
  recordAnswers,
  type Written,
} from '../writing/idempotency.ts';
import { writeKeyed } from '../writing/retry.ts';
import type { CreateCustomerInput } from './rules.ts';
import { type CustomerRow, customers, snapshot } from './table.ts';
import { refreshCustomer } from './write.ts';

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

const createCustomerStatement = statement('create_customer', (orm) => {
  const input = orm
    .$with('input')
    .as(
      orm
        .select({ ...insertedFrom(customers, 'input'), ...keyFields })
        .from(recordset(customers, 'input', keyColumns)),
    );
  const newAccount = orm
    .$with('new_account')
    .as(orm.select(insertedFrom(accounts, 'newAccount')).from(recordset(accounts, 'newAccount')));
  const { steps, isFresh, joins, outcome } = keySteps(orm, true);
  const customer = orm.$with('customer').as(
    orm
      .insert(customers)
      .select(orm.select(insertedFrom(customers, 'input')).from(sql`input`).where(isFresh))
      .returning(),
  );
  const first = createSteps(orm, 'new_account', sql`true`);
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
      ...[
        input,
        newAccount,
        ...steps,
        customer,
        first.wanted,
        first.locked,
        first.account,
        first.claimed,
        first.forgotten,
      ],
      ...[first.setting, first.change, setting, change, record],
    )
    .select({ customer: fieldsOf(customers, customer), ...outcome })
    .from(sql`input ${joins}`)
    .leftJoin(customer, sql`true`);
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

async function insertCustomer(
  ctx: Ctx,
  rows: CreatedCustomer,
  key: KeyValues,
): Promise<Written<CreatedCustomer>> {
  const accountRows = rows.account === null ? [] : [rows.account];
  const [outcome] = await ctx.run(createCustomerStatement, {
    ...keyPlaceholders(ctx),
    input: JSON.stringify([{ ...rows.customer, ...key }]),
    newAccount: JSON.stringify(accountRows.map((one) => one.account)),
    newAlias: aliasRecords(accountRows.flatMap((one) => one.aliases)),
    newSetting: JSON.stringify([...rows.settings, ...accountRows.flatMap((one) => one.settings)]),
    newChange: JSON.stringify(creationChanges(ctx, rows)),
  });
  if (outcome === undefined) throw new Error('The statement returned no row for its input.');
  const earlier = earlierAnswer(outcome, key);
  if (earlier instanceof AppError) throw earlier;
  if (earlier !== undefined) return { written: reviveCustomer(earlier), replayed: true };
  return { written: { ...rows, customer: outcome.customer }, replayed: false };
}

/**
 * Returns the rows with the alias starts that existing spans allow. Throws the reason if a constraint cannot be
 * satisfied.
 */
async function settle(ctx: Ctx, rows: CreatedCustomer, error: unknown): Promise<CreatedCustomer> {
  if (isViolation(error, ['customers_pkey'])) {
    const { id } = rows.customer;
    const holder = await ctx.load(customerByKey, byId(id));
    throw new IdTakenError('Customer', id, null, holder?.status === 'ARCHIVED');
  }
  const { account } = rows;
  if (account === null) return rows;
  const settled = settleClaims(account.aliases, await findConflictingClaims(ctx, account.aliases), ctx.now);
  if (settled.clashes.length > 0) throw await explainClash(ctx, account.account.id, settled);
  return { ...rows, account: { ...account, aliases: settled.claims } };
}

/**
 * Creates a customer with its settings, its history and, if given, its first account, in one statement. Throws the
 * AppError that explains a refusal.
 */
export async function createCustomer(
  ctx: Ctx,
  input: CreateCustomerInput,
): Promise<Written<CreatedCustomer>> {
  const given = newCustomer(ctx, input);
  let rows = given;
  const created = await writeKeyed(ctx, {
    key: keyValues('createCustomer', input, given),
    constraints: ['customers_pkey', ...takenConstraints],
    write: () => insertCustomer(ctx, rows, keyValues('createCustomer', input, rows)),
    revive: reviveCustomer,
    async settle(violation) {
      rows = await settle(ctx, given, violation);
    },
  });
  return showCreated(ctx, created);
}

/** Primes the loaders with a new customer and its account, so that the response needs no further statement. */
function showCreated(ctx: Ctx, result: Written<CreatedCustomer>): Written<CreatedCustomer> {
  const { customer, settings, account } = result.written;
  const { tenantId } = customer;
  refreshCustomer(ctx, customer, { settings: settings.map((setting) => ({ ...setting, tenantId })) });
  if (account !== null) primeCreated(ctx, account);
  return result;
}
