import { type SQL, sql } from 'drizzle-orm';
import { toAddressColumns } from '../address/rules.ts';
import { isInForce, searchedValues, settleClaims, spansOf } from '../alias/rules.ts';
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
import { AppError, NotFoundError } from '../lib/errors.ts';
import { newUuid } from '../lib/id.ts';
import { insertSettings, type NewSetting, newSettings, settingHistory } from '../setting/write.ts';
import { writeInBatch } from '../writing/batch.ts';
import { IdempotencyError, NotAllowedInStatusError } from '../writing/errors.ts';
import {
  earlierAnswer,
  findEarlierAnswers,
  type KeyValues,
  keyColumns,
  keyConstraint,
  keyFields,
  keyPlaceholders,
  keySteps,
  keyValues,
  recordAnswers,
  type Written,
} from '../writing/idempotency.ts';
import { retryOnViolation } from '../writing/retry.ts';
import { customerByKey, joinedCustomer, nameOfShape, relatedValues, shapeOf } from './read.ts';
import { type CreateAccountInput, maxAccountsPerCall } from './rules.ts';
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
  return { wanted, locked, account, claimed, forgotten, setting, change };
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
    const { wanted, locked, account, ...others } = createSteps(orm, 'input', isFresh);
    const record = recordAnswers(orm, sql`input join account on account.id = input.id`);
    return orm
      .with(
        ...[input, wanted, customer, ...steps, locked, account],
        ...[...Object.values(others), ...(hasKeys ? [record] : [])],
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

export type CreateResult = Written<CreatedAccount> | AppError;

type Outcome = typeof createStatement extends Statement<(infer Row)[]> ? Row : never;

/** Creates all accounts in one statement. If one violates a constraint, throws and writes nothing. */
async function insertAll(run: Run, attempts: readonly Attempt[]): Promise<Map<Attempt, Outcome>> {
  const ctx = attempts.at(-1)?.ctx ?? throwMissingResult();
  const hasKeys = attempts.some(({ key }) => key.idempotencyKey !== null);
  const input = attempts.map(({ rows, key }, place) => ({ ...rows.account, ...key, place }));
  const outcomes = await run(hasKeys ? createOnceStatement : createStatement, {
    ...keyPlaceholders(ctx),
    ...relatedValues(ctx),
    ...creationRecords(attempts),
    input: JSON.stringify(input),
  });
  return new Map(outcomes.map((outcome) => [attempts[outcome.place] ?? throwMissingResult(), outcome]));
}

/**
 * Creates the accounts in one batch with concurrent requests. Returns `undefined` if the batch failed because of one
 * request; then each request must run alone.
 */
function insertInBatch(ctx: Ctx, attempts: readonly Attempt[]): Promise<Map<Attempt, Outcome> | undefined> {
  const group = nameOfShape('create', shapeOf(ctx));
  const request = { item: attempts, size: attempts.length, maxSize: maxAccountsPerCall };
  return writeInBatch(ctx, group, request, (run, items) => insertAll(run, items.flat()));
}

function resultOf(
  ctx: Ctx,
  { input, rows, key }: Attempt,
  outcome: Outcome = throwMissingResult(),
): CreateResult {
  const earlier = earlierAnswer(outcome, key);
  if (earlier instanceof AppError) return earlier;
  if (earlier !== undefined) return replayOf(ctx, earlier);
  const customer = joined(outcome.customer);
  if (outcome.accountId === null || customer === null) return customerProblem(customer, input.customerId);
  ctx.prime(customerByKey, byId(customer.id), customer);
  primeCreated(ctx, rows);
  return { written: rows, replayed: false };
}

/**
 * Returns the results of attempts that an earlier request has completed. Their accounts exist, so they would look like
 * conflicts.
 */
async function findReplays(ctx: Ctx, attempts: Attempt[]): Promise<Map<Attempt, CreateResult>> {
  const answers = await findEarlierAnswers(
    ctx,
    attempts.map(({ key }) => key),
  );
  const found = attempts.flatMap((attempt): [Attempt, CreateResult][] => {
    const answer = answers.get(attempt.key.idempotencyKey ?? '');
    if (answer === undefined) return [];
    return [[attempt, answer instanceof AppError ? answer : replayOf(ctx, answer)]];
  });
  return new Map(found);
}

function replayOf(ctx: Ctx, answer: unknown): Written<CreatedAccount> {
  const written = reviveCreated(answer);
  primeCreated(ctx, written);
  return { written, replayed: true };
}

/** Returns the attempts that their customer does not allow. They write nothing, so they claim no names. */
async function findRefusedByCustomer(ctx: Ctx, attempts: Attempt[]): Promise<Map<Attempt, AppError>> {
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
 * Settles the claims against existing ones and those of earlier attempts. Returns the refused attempts: their customer
 * does not allow them, or a name is in use.
 */
async function settleAttempts(ctx: Ctx, attempts: Attempt[]): Promise<Map<Attempt, AppError>> {
  const refused = await findRefusedByCustomer(ctx, attempts);
  const owned = attempts.filter((attempt) => !refused.has(attempt));
  const existing = await findConflictingClaims(
    ctx,
    owned.flatMap(({ claims }) => claims),
  );
  for (const attempt of owned) {
    const settled = settleClaims(attempt.claims, existing, ctx.now);
    if (settled.clashes.length > 0) refused.set(attempt, await explainClash(ctx, attempt.input.id, settled));
    else {
      setClaims(attempt, settled.claims);
      existing.push(...settled.claims);
    }
  }
  return refused;
}

/** Refuses inputs that repeat an idempotency key of the same request: the first one has no result yet. */
function refuseRepeatedKeys(attempts: Attempt[], results: Map<Attempt, CreateResult>): void {
  const seen = new Map<string, KeyValues>();
  for (const attempt of attempts) {
    const { idempotencyKey, fingerprint } = attempt.key;
    if (idempotencyKey === null) continue;
    const first = seen.get(idempotencyKey);
    if (first === undefined) seen.set(idempotencyKey, attempt.key);
    else {
      const same = first.fingerprint === fingerprint;
      results.set(attempt, new IdempotencyError(same ? 'IDEMPOTENCY_IN_PROGRESS' : 'IDEMPOTENCY_KEY_REUSED'));
    }
  }
}

/**
 * Creates accounts with their aliases, settings and history, all in one statement. A refused account does not affect
 * the others: the statement runs again without it. Returns the results in the order of the inputs.
 */
export async function createAccounts(ctx: Ctx, inputs: CreateAccountInput[]): Promise<CreateResult[]> {
  const attempts = inputs.map((input) => newAttempt(ctx, input));
  const results = new Map<Attempt, CreateResult>();
  refuseRepeatedKeys(attempts, results);

  const isOpen = (attempt: Attempt) => !results.has(attempt);
  const insertOpen = async (tries: number) => {
    const open = attempts.filter(isOpen);
    if (open.length === 0) return results;
    const batched = tries === 1 ? await insertInBatch(ctx, open) : undefined;
    const outcomes = batched ?? (await insertAll(ctx.run, open));
    ctx.forget();
    for (const attempt of open) results.set(attempt, resultOf(ctx, attempt, outcomes.get(attempt)));
    return results;
  };
  await retryOnViolation([...takenConstraints, keyConstraint], insertOpen, async () => {
    const open = attempts.filter(isOpen);
    const answered = await findReplays(ctx, open);
    const settled = answered.size > 0 ? answered : await settleAttempts(ctx, open);
    for (const [attempt, result] of settled) results.set(attempt, result);
    return undefined;
  });
  return attempts.map((attempt) => results.get(attempt) ?? throwMissingResult());
}

function throwMissingResult(): never {
  throw new Error('An input has no result.');
}

/** Creates one account. Throws the AppError that explains a refusal. */
export async function createAccount(ctx: Ctx, input: CreateAccountInput): Promise<Written<CreatedAccount>> {
  const [result] = await createAccounts(ctx, [input]);
  if (result === undefined) return throwMissingResult();
  if (result instanceof AppError) throw result;
  return result;
}
