import { type SQL, sql } from 'drizzle-orm';
import { toAddressColumns } from '../address/rules.ts';
import { isInForce, type SettledClaims, searchedValues, settleClaims, spansOf } from '../alias/rules.ts';
import { aliases } from '../alias/table.ts';
import {
  aliasHistory,
  aliasRecords,
  claimConstraints,
  claimSteps,
  findConflictingClaims,
  type NewAlias,
  newAliases,
} from '../alias/write.ts';
import type { Ctx, Run } from '../ctx.ts';
import { type CustomerRow, customers } from '../customer/table.ts';
import { insertedFrom, joined, recordset, revive, tenantId } from '../db/rows.ts';
import { type Orm, type Statement, statement } from '../db/statement.ts';
import { changeRow, insertChanges } from '../history/write.ts';
import { byId } from '../lib/entity-key.ts';
import { type AppError, NotFoundError } from '../lib/errors.ts';
import { newUuid } from '../lib/id.ts';
import { insertSettings, type NewSetting, newSettings, settingHistory } from '../setting/write.ts';
import { NotAllowedInStatusError } from '../writing/errors.ts';
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
import { customerByKey, joinedCustomer, nameOfShape, relatedValues, shapeOf } from './read.ts';
import type { CreateAccountInput } from './rules.ts';
import { type AccountRow, accounts, snapshot } from './table.ts';
import { explainClash, primeAccount } from './write.ts';

type AccountInput = Omit<CreateAccountInput, 'idempotencyKey'>;

/** A new row. `searchText` has the aliases; a trigger replaces it by the text of searches. */
type NewAccount = AccountRow & { searchText: string };

/** A new account with its aliases and settings. */
export interface CreatedAccount {
  account: AccountRow;
  aliases: NewAlias[];
  settings: NewSetting[];
}

function newAccount(ctx: Ctx, input: AccountInput, aliases: NewAlias[]): NewAccount {
  const billing = input.billingInformation;
  return {
    tenantId: ctx.viewer.tenant.id,
    id: input.id,
    nodeId: newUuid(),
    customerId: input.customerId,
    name: input.name,
    status: input.status ?? 'ACTIVE',
    invoiceCurrency: input.invoiceCurrency ?? null,
    netTermDays: input.netTermDays ?? null,
    primaryEmail: input.primaryEmail ?? null,
    ...toAddressColumns(input.address),
    emailRecipients: billing ? (billing.emailRecipients ?? []) : null,
    additionalEmailRecipients: billing ? (billing.additionalEmailRecipients ?? []) : null,
    tags: input.tags ?? [],
    metadata: input.metadata ?? {},
    version: 1,
    createdAt: ctx.now,
    updatedAt: ctx.now,
    searchText: searchedValues(aliases.slice(1), ctx.now),
  };
}

/** Returns the rows of a new account. */
export function newAccountRows(ctx: Ctx, input: AccountInput): CreatedAccount {
  const aliases = newAliases(ctx, input.id, spansOf(input));
  return {
    account: newAccount(ctx, input, aliases),
    aliases,
    settings: newSettings('ACCOUNT', input.id, input.settings ?? []),
  };
}

/** Returns the history entry of a creation. */
export function creationChange(ctx: Ctx, { account, aliases, settings }: CreatedAccount) {
  return changeRow(ctx, {
    kind: 'ACCOUNT_CREATED',
    customerId: account.customerId,
    accountId: account.id,
    version: account.version,
    before: null,
    after: {
      ...snapshot(account),
      // The first claim is the account's own id.
      ...aliasHistory(aliases.slice(1)),
      ...settingHistory(settings),
    },
  });
}

/** Returns the JSON parameters of `createSteps` for any number of accounts. */
export function creationRecords(created: readonly { ctx: Ctx; rows: CreatedAccount }[]) {
  return {
    newAlias: aliasRecords(created.flatMap(({ rows }) => rows.aliases)),
    newSetting: JSON.stringify(created.flatMap(({ rows }) => rows.settings)),
    newChange: JSON.stringify(created.map(({ ctx, rows }) => creationChange(ctx, rows))),
  };
}

/** Returns the rows of a creation from its idempotency record. */
export function reviveCreated(answer: unknown): CreatedAccount {
  const created = answer as CreatedAccount;
  return {
    account: revive(accounts, created.account),
    aliases: created.aliases.map((alias) => revive(aliases, alias)),
    settings: created.settings,
  };
}

/** Primes the loaders with a new account, so that the response needs no further statement. */
export function primeCreated(ctx: Ctx, { account, aliases, settings }: CreatedAccount): void {
  const { tenantId, id, createdAt } = account;
  const inForce = aliases.filter((alias) => alias.value !== id && isInForce(alias, createdAt));
  primeAccount(ctx, account, {
    aliases: inForce.map((alias) => ({ ...alias, tenantId })),
    settings: settings.map((setting) => ({ ...setting, tenantId })),
  });
}

/**
 * Returns the CTEs that create the accounts of the CTE `from` for the customers of the CTE `customer`, with their
 * claims, settings and history. `where` selects the accounts to create. Only ids are returned: all other values are
 * known.
 */
export function createSteps(orm: Orm, from: string, where: SQL) {
  const ids = sql`select account.id from account`;
  const { wanted, locked, claimed, forgotten, isLocked } = claimSteps(orm, ids);
  const account = orm.$with('account').as(
    orm
      .insert(accounts)
      .select(
        orm
          .select(insertedFrom(accounts, from))
          .from(sql`${sql.identifier(from)}`)
          .innerJoin(
            sql`customer`,
            sql`customer.id = ${sql.identifier(from)}."customerId" and customer.status = 'ACTIVE'`,
          )
          .where(sql`${isLocked} and ${where}`),
      )
      .returning({ id: accounts.id }),
  );
  const setting = insertSettings(orm, { name: 'setting', ownerType: 'ACCOUNT', ids });
  const change = insertChanges(orm, 'change', sql`"newChange"."accountId" in (${ids})`);
  return { wanted, locked, isLocked, account, claimed, forgotten, setting, change };
}

function defineStatement(name: string, hasKeys: boolean) {
  return statement(name, (orm) => {
    const input = orm.$with('input').as(
      orm
        .select({
          ...insertedFrom(accounts, 'input'),
          ...keyFields,
          place: sql<number>`input.place`.as('place'),
        })
        .from(recordset(accounts, 'input', { ...keyColumns, place: 'integer' })),
    );
    // A share lock keeps the customer from being archived. All writers lock in the same order, so they cannot deadlock.
    const customer = orm
      .$with('customer')
      .as(
        orm
          .select()
          .from(customers)
          .where(
            sql`${customers.tenantId} = ${tenantId} and ${customers.id} = any(array(select "customerId" from input))`,
          )
          .orderBy(customers.id)
          .for('share'),
      );
    const { steps, isFresh, joins, outcome } = keySteps(orm, hasKeys);
    const { wanted, locked, account, claimed, forgotten, setting, change } = createSteps(
      orm,
      'input',
      isFresh,
    );
    const record = recordAnswers(orm, sql`input join account on account.id = input.id`);
    return orm
      .with(
        ...[input, wanted, customer, ...steps, locked, account],
        ...[claimed, forgotten, setting, change, ...(hasKeys ? [record] : [])],
      )
      .select({
        place: sql<number>`input.place`,
        accountId: sql<string | null>`account.id`,
        customer: joinedCustomer(),
        ...outcome,
      })
      .from(sql`input ${joins}`)
      .leftJoin(account, sql`account.id = input.id`)
      .leftJoin(customer, sql`customer.id = input."customerId"`);
  });
}

const createStatement = defineStatement('create_accounts', false);
/** Also applies idempotency keys. */
const createOnceStatement = defineStatement('create_accounts_once', true);

/** The constraints that fail if the id or an alias is taken. */
export const takenConstraints = ['accounts_pkey', ...claimConstraints];

/** Returns why an account was not created although no constraint failed. */
function customerProblem(customer: CustomerRow | null, customerId: string): AppError {
  if (customer === null) return new NotFoundError('Customer', customerId);
  return new NotAllowedInStatusError(
    'Customer',
    customerId,
    customer.status,
    'restore it before you add accounts.',
  );
}

interface Attempt {
  ctx: Ctx;
  input: CreateAccountInput;
  /** As given in the input. `rows` has them as they are written. */
  claims: NewAlias[];
  rows: CreatedAccount;
  key: KeyValues;
}

function newAttempt(ctx: Ctx, input: CreateAccountInput): Attempt {
  const rows = newAccountRows(ctx, input);
  return { ctx, input, claims: rows.aliases, rows, key: keyValues('createAccount', input, rows) };
}

function setClaims(attempt: Attempt, claims: NewAlias[]): void {
  attempt.rows = { ...attempt.rows, aliases: claims };
  attempt.key = keyValues('createAccount', attempt.input, attempt.rows);
}

type Outcome = typeof createStatement extends Statement<(infer Row)[]> ? Row : never;

async function insertAccounts(run: Run, attempts: readonly Attempt[]): Promise<Map<Attempt, Outcome>> {
  const ctx = latestCtx(attempts);
  const hasKeys = attempts.some(({ key }) => key.idempotencyKey !== null);
  const input = attempts.map(({ rows, key }, place) => ({ ...rows.account, ...key, place }));
  const outcomes = await run(hasKeys ? createOnceStatement : createStatement, {
    ...keyPlaceholders(ctx),
    ...relatedValues(ctx),
    ...creationRecords(attempts),
    input: JSON.stringify(input),
  });
  return byPlace(attempts, outcomes);
}

/** Returns the attempts that their customer does not allow. They write nothing, so they claim no names. */
async function findRefusedByCustomer(
  ctx: Ctx,
  attempts: readonly Attempt[],
): Promise<Map<Attempt, AppError>> {
  ctx.forget();
  const unowned = new Map<Attempt, AppError>();
  const check = async (attempt: Attempt) => {
    const { customerId } = attempt.input;
    const owner = await ctx.load(customerByKey, byId(customerId));
    if (owner?.status !== 'ACTIVE') unowned.set(attempt, customerProblem(owner, customerId));
  };
  await Promise.all(attempts.map(check));
  return unowned;
}

/**
 * Reads the claims that overlap those of new accounts. Returns a function that settles the accounts one after another,
 * also against those that it has settled.
 */
export async function claimSettler(
  ctx: Ctx,
  claims: NewAlias[],
): Promise<(claims: NewAlias[]) => SettledClaims<NewAlias>> {
  const existing = await findConflictingClaims(ctx, claims);
  return (next) => {
    const settled = settleClaims(next, existing, ctx.now);
    if (settled.clashes.length === 0) existing.push(...settled.claims);
    return settled;
  };
}

/** Returns the refused attempts: their customer does not allow them, or a name is in use. */
async function settleAttempts(ctx: Ctx, attempts: readonly Attempt[]): Promise<Map<Attempt, AppError>> {
  const refused = await findRefusedByCustomer(ctx, attempts);
  const owned = attempts.filter((attempt) => !refused.has(attempt));
  const settle = await claimSettler(
    ctx,
    owned.flatMap(({ claims }) => claims),
  );
  const check = async (attempt: Attempt) => {
    // Before the first await, so that the attempts are settled in their order.
    const settled = settle(attempt.claims);
    if (settled.clashes.length === 0) setClaims(attempt, settled.claims);
    else refused.set(attempt, await explainClash(ctx, attempt.input.id, settled));
  };
  await Promise.all(owned.map(check));
  return refused;
}

/**
 * Creates accounts with their aliases, settings and history, all in one statement. A refused account does not affect
 * the others. Returns the results in the order of the inputs.
 */
export function createAccounts(
  ctx: Ctx,
  inputs: readonly CreateAccountInput[],
): Promise<WriteResult<CreatedAccount>[]> {
  const attempts = inputs.map((input) => newAttempt(ctx, input));
  return writeEach<Attempt, Outcome, CreatedAccount>(ctx, attempts, {
    group: nameOfShape('create', shapeOf(ctx)),
    constraints: takenConstraints,
    write: insertAccounts,
    rowOf({ input, rows }, { accountId, customer }) {
      const owner = joined(customer);
      if (accountId === null || owner === null) throw customerProblem(owner, input.customerId);
      ctx.prime(customerByKey, byId(owner.id), owner);
      primeCreated(ctx, rows);
      return rows;
    },
    revive(answer) {
      const rows = reviveCreated(answer);
      primeCreated(ctx, rows);
      return rows;
    },
    settle: (open) => settleAttempts(ctx, open),
  });
}

/** Creates one account. Throws the AppError that explains a refusal. */
export async function createAccount(ctx: Ctx, input: CreateAccountInput): Promise<Written<CreatedAccount>> {
  return onlyResult(await createAccounts(ctx, [input]));
}
