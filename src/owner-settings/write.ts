import { type AccountRow, accounts } from '../account/table.ts';
import { lockAccount, refreshAccount, touchAccount } from '../account/write.ts';
import type { Ctx, Run } from '../ctx.ts';
import { type CustomerRow, customers } from '../customer/table.ts';
import { lockCustomer, refreshCustomer, touchCustomer } from '../customer/write.ts';
import { revive } from '../db/rows.ts';
import type { ChangeKind } from '../history/rules.ts';
import { changeRow, recordChanges } from '../history/write.ts';
import { InvalidInputError, NotFoundError } from '../lib/errors.ts';
import { issuesOf } from '../lib/wording.ts';
import type { SettingOwner as Owner } from '../setting/read.ts';
import {
  type ChangeSettingInput,
  maxSettingsPerOwner,
  type PutSettingsInput,
  type RemoveSettingsInput,
  setting,
  settingKey,
} from '../setting/rules.ts';
import type { SettingRow } from '../setting/table.ts';
import {
  deleteSettings,
  isSameSetting,
  type NewSetting,
  newSettings,
  readSettings,
  settingHistory,
  upsertSettings,
} from '../setting/write.ts';
import { IdTakenError, LimitExceededError } from '../writing/errors.ts';
import { type Written, writeOnce } from '../writing/idempotency.ts';
import { assertWritable } from '../writing/row-lock.ts';
import type { Repeatable } from '../writing/rules.ts';

/** The owner of settings after a write: an account or a customer. */
export interface SettingsOwner {
  account: AccountRow | null;
  customer: CustomerRow | null;
  /** All settings of the owner after the write. */
  settings: SettingRow[];
}

function ownerOf({ accountId, customerId }: PutSettingsInput | RemoveSettingsInput): Owner {
  return accountId != null ? { type: 'ACCOUNT', id: accountId } : { type: 'CUSTOMER', id: customerId ?? '' };
}

/** Locks the owner, and returns it. Throws the AppError that refuses a write of it. */
async function lockOwner(run: Run, { type, id }: Owner): Promise<Omit<SettingsOwner, 'settings'>> {
  return type === 'ACCOUNT'
    ? { account: assertWritable('Account', await lockAccount(run, id), { id }), customer: null }
    : { account: null, customer: assertWritable('Customer', await lockCustomer(run, id), { id }) };
}

/** Adds 1 to the owner's version and records the change. */
async function recordSettings(
  ctx: Ctx,
  run: Run,
  kind: ChangeKind,
  { type, id }: Owner,
  [before, after]: [SettingRow[], NewSetting[]],
): Promise<SettingsOwner> {
  const account = type === 'ACCOUNT' ? await touchAccount(ctx, run, id) : null;
  const customer = type === 'CUSTOMER' ? await touchCustomer(ctx, run, id) : null;
  const version = account?.version ?? customer?.version ?? 0;
  const change = { kind, customerId: account?.customerId ?? id, accountId: account?.id ?? null, version };
  await recordChanges(run, [
    changeRow(ctx, { ...change, before: settingHistory(before), after: settingHistory(after) }),
  ]);
  return { account, customer, settings: await readSettings(run, { type, id }) };
}

function reviveOwner(answer: unknown): SettingsOwner {
  const { account, customer, settings } = answer as SettingsOwner;
  return {
    account: account === null ? null : revive(accounts, account),
    customer: customer === null ? null : revive(customers, customer),
    settings,
  };
}

function refreshOwner(ctx: Ctx, { account, customer, settings }: SettingsOwner): void {
  if (account !== null) refreshAccount(ctx, account, { settings });
  if (customer !== null) refreshCustomer(ctx, customer, { settings });
}

/** A write of settings. `rowsFor` returns the rows to write, given the current rows of the owner. */
interface SettingsWrite {
  mutation: string;
  input: Repeatable;
  owner: Owner;
  rowsFor(present: SettingRow[]): NewSetting[];
}

async function writeSettings(
  ctx: Ctx,
  { mutation, input, owner, rowsFor }: SettingsWrite,
): Promise<Written<SettingsOwner>> {
  const result = await writeOnce(ctx, mutation, input, reviveOwner, async (run) => {
    const locked = await lockOwner(run, owner);
    const present = await readSettings(run, owner);
    const rows = rowsFor(present);
    const byKey = new Map(rows.map((row) => [settingKey(row), row]));
    const replaced = present.filter((row) => byKey.has(settingKey(row)));
    const equal = replaced.filter((row) => isSameSetting(row, byKey.get(settingKey(row)) ?? row));
    if (equal.length === rows.length) return { ...locked, settings: present };
    if (present.length - replaced.length + rows.length > maxSettingsPerOwner) {
      throw new LimitExceededError('settings', maxSettingsPerOwner);
    }
    await upsertSettings(run, rows);
    return recordSettings(ctx, run, 'SETTINGS_PUT', owner, [replaced, rows]);
  });
  refreshOwner(ctx, result.written);
  return result;
}

/** Adds settings to an account or customer, and replaces those with the same namespace and id. */
export function putSettings(ctx: Ctx, input: PutSettingsInput): Promise<Written<SettingsOwner>> {
  const owner = ownerOf(input);
  const rows = newSettings(owner.type, owner.id, input.settings);
  return writeSettings(ctx, { mutation: 'putSettings', input, owner, rowsFor: () => rows });
}

/** Adds settings to an account or customer. Throws IdTakenError if one exists. */
export function createSettings(ctx: Ctx, input: PutSettingsInput): Promise<Written<SettingsOwner>> {
  const owner = ownerOf(input);
  const rows = newSettings(owner.type, owner.id, input.settings);
  const keys = new Set(rows.map(settingKey));
  const rowsFor = (present: SettingRow[]) => {
    const taken = present.find((row) => keys.has(settingKey(row)));
    if (taken !== undefined) throw new IdTakenError('Setting', `${taken.namespace}.${taken.id}`, null);
    return rows;
  };
  return writeSettings(ctx, { mutation: 'createSettings', input, owner, rowsFor });
}

/** Changes fields of one setting. Throws InvalidInputError if the resulting value does not match its type. */
export function changeSetting(ctx: Ctx, input: ChangeSettingInput): Promise<Written<SettingsOwner>> {
  const { ownerType: type, ownerId: id, name, dataType, value } = input;
  const rowsFor = (present: SettingRow[]) => {
    const row = present.find((one) => settingKey(one) === settingKey(input));
    if (row === undefined) throw new NotFoundError('Setting', `${input.namespace}.${input.id}`);
    const { tenantId: _, ...old } = row;
    const changed = {
      ...old,
      name: name ?? old.name,
      dataType: dataType ?? old.dataType,
      value: value ?? old.value,
    };
    const { error } = setting.safeParse(changed);
    if (error) throw new InvalidInputError(issuesOf(error));
    return [changed];
  };
  return writeSettings(ctx, { mutation: 'changeSetting', input, owner: { type, id }, rowsFor });
}

/** Removes settings of an account or customer. Throws NotFoundError if one does not exist. */
export async function removeSettings(ctx: Ctx, input: RemoveSettingsInput): Promise<Written<SettingsOwner>> {
  const owner = ownerOf(input);
  const result = await writeOnce(ctx, 'removeSettings', input, reviveOwner, async (run) => {
    await lockOwner(run, owner);
    const present = new Map((await readSettings(run, owner)).map((row) => [settingKey(row), row]));
    const gone = input.settings.map((key) => {
      const row = present.get(settingKey(key));
      if (row === undefined) throw new NotFoundError('Setting', `${key.namespace}.${key.id}`);
      return row;
    });
    await deleteSettings(run, owner, gone);
    return recordSettings(ctx, run, 'SETTINGS_REMOVED', owner, [gone, []]);
  });
  refreshOwner(ctx, result.written);
  return result;
}
