import { toAddressColumns } from '../address/rules.ts';
import { aliasRecords, type NewAlias, newAliases } from '../alias/claim.ts';
import { isInForce, spansOf } from '../alias/rules.ts';
import { aliasHistory } from '../alias/spans.ts';
import { aliases } from '../alias/table.ts';
import type { Ctx } from '../ctx.ts';
import { revive } from '../db/rows.ts';
import { changeRow } from '../history/write.ts';
import { newUuid } from '../lib/id.ts';
import { type NewSetting, newSettings, settingHistory } from '../setting/create.ts';
import { refreshAccount } from './lock.ts';
import type { CreateAccountInput } from './rules.ts';
import { type AccountRow, accounts, snapshot } from './table.ts';

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
  refreshAccount(ctx, account, {
    aliases: inForce.map((alias) => ({ ...alias, tenantId })),
    settings: settings.map((setting) => ({ ...setting, tenantId })),
  });
}
