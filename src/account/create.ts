import { type SQL, sql } from 'drizzle-orm';
import { toAddressColumns } from '../address/rules.ts';
import { isInForce, settleClaims, spansOf } from '../alias/rules.ts';
import { aliases } from '../alias/table.ts';
import {
  aliasHistory,
  aliasRecords,
  claimConstraints,
  claimSteps,
  claimsInTheWay,
  explainClashes,
  type NewAlias,
  newAliases,
} from '../alias/write.ts';
import type { Ctx, Run } from '../ctx.ts';
import { type CustomerRow, customers } from '../customer/table.ts';
import { insertedFrom, joined, recordset, revive, tenantId } from '../db/rows.ts';
import { type Orm, statement } from '../db/statement.ts';
import { changeRow, insertChanges } from '../history/write.ts';
import { byId } from '../lib/entity-key.ts';
import { AppError, NotFoundError } from '../lib/errors.ts';
import { newUuid } from '../lib/id.ts';
import { insertSettings, type NewSetting, newSettings, settingHistory } from '../setting/write.ts';
import { writeTogether } from '../writing/batch.ts';
import { IdempotencyError, NotAllowedInStatusError } from '../writing/errors.ts';
import {
  answersSoFar,
  earlierAnswer,
  type KeyValues,
  keyColumns,
  keyConstraint,
  keyFields,
  keyOutcome,
  keyPlaceholders,
  keySteps,
  keyValues,
  recordAnswers,
  type Written,
} from '../writing/idempotency.ts';
import { retryOnViolation } from '../writing/retry.ts';
import { alongFlags, alongValues, customerByKey, joinedCustomer } from './read.ts';
import { type CreateAccountInput, maxAccountsPerCall } from './rules.ts';
import { type AccountRow, accounts, snapshot } from './table.ts';
import { primeAccount } from './write.ts';

type AccountInput = Omit<CreateAccountInput, 'idempotencyKey'>;

/** An account as its creation leaves it. */
export interface CreatedAccount {
  account: AccountRow;
  aliases: NewAlias[];
  settings: NewSetting[];
}

function newAccount(ctx: Ctx, input: AccountInput): AccountRow {
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
  };
}

/** The rows of an account that does not exist yet. */
export function newAccountRows(ctx: Ctx, input: AccountInput): CreatedAccount {
  return {
    account: newAccount(ctx, input),
    aliases: newAliases(ctx, input.id, spansOf(input)),
    settings: newSettings('ACCOUNT', input.id, input.settings ?? []),
  };
}

/** The row that the creation leaves in the history. */
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

/** The JSON parameters of `createSteps`, for any number of accounts and of those who create them. */
export function creationRecords(created: readonly { ctx: Ctx; rows: CreatedAccount }[]) {
  return {
    newAlias: aliasRecords(created.flatMap(({ rows }) => rows.aliases)),
    newSetting: JSON.stringify(created.flatMap(({ rows }) => rows.settings)),
    newChange: JSON.stringify(created.map(({ ctx, rows }) => creationChange(ctx, rows))),
  };
}

/** The first answer to a creation, as an idempotency record kept it. */
export function reviveCreated(answer: unknown): CreatedAccount {
  const created = answer as CreatedAccount;
  return {
    account: revive(accounts, created.account),
    aliases: created.aliases.map((alias) => revive(aliases, alias)),
    settings: created.settings,
  };
}

/** Makes the answer show an account as its creation left it, at no cost. */
export function primeCreated(ctx: Ctx, { account, aliases, settings }: CreatedAccount): void {
  const { tenantId, id, createdAt } = account;
  const inForce = aliases.filter((alias) => alias.value !== id && isInForce(alias, createdAt));
  primeAccount(ctx, account, {
    aliases: inForce.map((alias) => ({ ...alias, tenantId })),
    settings: settings.map((setting) => ({ ...setting, tenantId })),
  });
}

/**
 * The steps by which a statement creates the accounts of its CTE `from` for the customers of its CTE `customer`, with
 * the claims of their ids and aliases, their settings and their history. `where` says which of them may go on. Nothing but
 * the id comes back of an account, for it is stored as it was sent.
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

const createAccountsStatement = statement('create_accounts', (orm) => {
  const input = orm.$with('input').as(
    orm
      .select({
        ...insertedFrom(accounts, 'input'),
        ...keyFields,
        place: sql<number>`input.place`.as('place'),
      })
      .from(recordset(accounts, 'input', { ...keyColumns, place: 'integer' })),
  );
  // Shared, so that the customer is not archived at the same time; in the order in which all lock them.
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
  const { prior, claim, isFresh } = keySteps(orm);
  const { wanted, locked, account, claimed, forgotten, setting, change } = createSteps(orm, 'input', isFresh);
  const record = recordAnswers(orm, sql`input join account on account.id = input.id`);
  return orm
    .with(input, wanted, customer, prior, claim, locked, account, claimed, forgotten, setting, change, record)
    .select({
      place: sql<number>`input.place`,
      accountId: sql<string | null>`account.id`,
      customer: joinedCustomer(),
      ...keyOutcome,
    })
    .from(sql`input`)
    .leftJoin(account, sql`account.id = input.id`)
    .leftJoin(customer, sql`customer.id = input."customerId"`)
    .leftJoin(prior, sql`prior.key = input."idempotencyKey"`)
    .leftJoin(claim, sql`claim.key = input."idempotencyKey"`);
});

/** Violations that mean: the id or an alias of an account is taken. */
export const takenConstraints = ['accounts_pkey', ...claimConstraints];

/** Why an account was not created although no constraint was violated. */
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
  /** As the input gives them. The rows hold them as they are written. */
  claims: NewAlias[];
  rows: CreatedAccount;
  key: KeyValues;
}

function newAttempt(ctx: Ctx, input: CreateAccountInput): Attempt {
  const rows = newAccountRows(ctx, input);
  return { ctx, input, claims: rows.aliases, rows, key: keyValues('createAccount', input, rows) };
}

function claimAs(attempt: Attempt, claims: NewAlias[]): void {
  attempt.rows = { ...attempt.rows, aliases: claims };
  attempt.key = keyValues('createAccount', attempt.input, attempt.rows);
}

export type CreateResult = Written<CreatedAccount> | AppError;

type Outcome = Awaited<ReturnType<typeof runFor>>[number];

function runFor(run: Run, attempts: readonly Attempt[], values: Record<string, unknown>) {
  const input = attempts.map(({ rows, key }, place) => ({ ...rows.account, ...key, place }));
  return run(createAccountsStatement, {
    ...values,
    ...creationRecords(attempts),
    input: JSON.stringify(input),
  });
}

/** Runs the statement for all attempts at once. Throws when any of them violates a constraint; then nothing is written. */
async function insertAll(run: Run, attempts: readonly Attempt[]): Promise<Map<Attempt, Outcome>> {
  const ctx = attempts.at(-1)?.ctx ?? unanswered();
  const outcomes = await runFor(run, attempts, { ...keyPlaceholders(ctx), ...alongValues(ctx) });
  return new Map(outcomes.map((outcome) => [attempts[outcome.place] ?? unanswered(), outcome]));
}

/**
 * Runs the statement for all who create accounts at the moment; `undefined` when each has to go on by itself. With 32 of
 * them, it takes more than half off the database's work for each.
 */
function insertTogether(ctx: Ctx, attempts: readonly Attempt[]): Promise<Map<Attempt, Outcome> | undefined> {
  const group = `create ${Object.values(alongFlags(ctx))}`;
  const asking = { ask: attempts, size: attempts.length, maxSize: maxAccountsPerCall };
  return writeTogether(ctx, group, asking, (run, asks) => insertAll(run, asks.flat()));
}

function resultOf(ctx: Ctx, { input, rows, key }: Attempt, outcome: Outcome = unanswered()): CreateResult {
  const earlier = earlierAnswer(outcome, key);
  if (earlier instanceof AppError) return earlier;
  if (earlier !== undefined) return replayOf(ctx, earlier);
  const customer = joined(outcome.customer);
  if (outcome.accountId === null || customer === null) return customerProblem(customer, input.customerId);
  ctx.prime(customerByKey, byId(customer.id), customer);
  primeCreated(ctx, rows);
  return { written: rows, replayed: false };
}

/** Which of the attempts were answered before: their accounts stand, so they must not be taken for clashes. */
async function findAnswered(ctx: Ctx, attempts: Attempt[]): Promise<Map<Attempt, CreateResult>> {
  const answers = await answersSoFar(
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

/** Which of the attempts a customer refuses: nothing is written of them, so they claim no names. */
async function findUnowned(ctx: Ctx, attempts: Attempt[]): Promise<Map<Attempt, AppError>> {
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
 * Settles the claims of the attempts beside the existing ones and those of the attempts before them. Returns the attempts
 * that are refused, by their customer or because a name is in use.
 */
async function settleAttempts(ctx: Ctx, attempts: Attempt[]): Promise<Map<Attempt, AppError>> {
  const refused = await findUnowned(ctx, attempts);
  const owned = attempts.filter((attempt) => !refused.has(attempt));
  const existing = await claimsInTheWay(
    ctx,
    owned.flatMap(({ claims }) => claims),
  );
  for (const attempt of owned) {
    const settled = settleClaims(attempt.claims, existing, ctx.now);
    if (settled.clashes.length > 0) refused.set(attempt, explainClashes(attempt.input.id, settled));
    else {
      claimAs(attempt, settled.claims);
      existing.push(...settled.claims);
    }
  }
  return refused;
}

/** A key that two inputs of one request share: the second one cannot be answered before the first is done. */
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
 * Creates each account with its aliases, settings and history, all or nothing of each, in one statement for all.
 * A refused one does not stop the others: the statement runs again without it, and with the beginnings
 * that past spans leave to claims without one. Answers in the order of the inputs.
 */
export async function createAccounts(ctx: Ctx, inputs: CreateAccountInput[]): Promise<CreateResult[]> {
  const attempts = inputs.map((input) => newAttempt(ctx, input));
  const results = new Map<Attempt, CreateResult>();
  refuseRepeatedKeys(attempts, results);

  const isOpen = (attempt: Attempt) => !results.has(attempt);
  const insertOpen = async (tries: number) => {
    const open = attempts.filter(isOpen);
    if (open.length === 0) return results;
    const together = tries === 1 ? await insertTogether(ctx, open) : undefined;
    const outcomes = together ?? (await insertAll(ctx.run, open));
    ctx.forget();
    for (const attempt of open) results.set(attempt, resultOf(ctx, attempt, outcomes.get(attempt)));
    return results;
  };
  await retryOnViolation([...takenConstraints, keyConstraint], insertOpen, async () => {
    const open = attempts.filter(isOpen);
    const answered = await findAnswered(ctx, open);
    const settled = answered.size > 0 ? answered : await settleAttempts(ctx, open);
    for (const [attempt, result] of settled) results.set(attempt, result);
    return undefined;
  });
  return attempts.map((attempt) => results.get(attempt) ?? unanswered());
}

function unanswered(): never {
  throw new Error('An input was left without an answer.');
}

/** Creates one account. Throws the AppError that refuses it. */
export async function createAccount(ctx: Ctx, input: CreateAccountInput): Promise<Written<CreatedAccount>> {
  const [result] = await createAccounts(ctx, [input]);
  if (result === undefined) return unanswered();
  if (result instanceof AppError) throw result;
  return result;
}
