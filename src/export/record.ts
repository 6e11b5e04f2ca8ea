import { billingInformationOf } from '../account/rules.ts';
import type { AccountRow } from '../account/table.ts';
import { type AddressColumns, addressOf } from '../address/rules.ts';
import type { AliasRow } from '../alias/table.ts';
import type { CustomerRow } from '../customer/table.ts';
import { encodePosition } from '../feed/position.ts';
import type { FeedEntry } from '../feed/table.ts';
import { presentFields } from '../history/present.ts';
import type { RecordType } from '../import/rules.ts';
import { toTypeId } from '../lib/id.ts';
import type { SettingRow } from '../setting/table.ts';

/** A customer or account as the input that creates it, with its type. Absent fields are left out. */
export type EntityRecord = { type: RecordType; [field: string]: unknown };

export type ExportedAlias = Pick<AliasRow, 'value' | 'effectiveFrom' | 'effectiveUntil'>;
export type ExportedSetting = Pick<SettingRow, 'namespace' | 'id' | 'name' | 'dataType' | 'value'>;

export interface FoundCustomer {
  row: CustomerRow;
  settings: ExportedSetting[];
}

export interface FoundAccount {
  row: AccountRow;
  settings: ExportedSetting[];
  /** Without the account's own id. */
  aliases: ExportedAlias[];
}

type Fields = Record<string, unknown>;

function isAbsent(value: unknown): boolean {
  return value == null || (typeof value === 'object' && Object.keys(value).length === 0);
}

function present<T extends Fields>(fields: T): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => !isAbsent(value))) as T;
}

function addressFields(row: AddressColumns): Fields {
  const address = addressOf(row);
  if (address === null) return {};
  const { line1, line2, postalCode, city, state, country, phoneNumber } = address;
  return present({ line1, line2, postalCode, city, state, country, phoneNumber });
}

/** Returns the fields that the system makes. */
function systemFields(type: 'Customer' | 'Account', row: CustomerRow | AccountRow): Fields {
  return {
    nodeId: toTypeId(type, row.nodeId),
    version: row.version,
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
  };
}

/** Returns the record of a customer. Its status is not part of the input that creates it. */
export function customerRecord({ row, settings }: FoundCustomer, portable: boolean): EntityRecord {
  const { id, name, primaryEmail, metadata, status } = row;
  return present({
    type: 'customer',
    id,
    name,
    primaryEmail,
    address: addressFields(row),
    settings,
    metadata,
    ...(!portable && { status, ...systemFields('Customer', row) }),
  });
}

const isPlain = ({ effectiveFrom, effectiveUntil }: ExportedAlias) =>
  effectiveFrom === null && effectiveUntil === null;

function datedAlias({ value, effectiveFrom, effectiveUntil }: ExportedAlias): Fields {
  return present({
    value,
    effectiveFrom: effectiveFrom?.toISOString(),
    effectiveUntil: effectiveUntil?.toISOString(),
  });
}

/** Returns the record of an account with its stored values. What it inherits from the tenant is absent. */
export function accountRecord({ row, aliases, settings }: FoundAccount, portable: boolean): EntityRecord {
  const { id, customerId, name, status, invoiceCurrency, netTermDays, primaryEmail, tags, metadata } = row;
  return present({
    type: 'account',
    id,
    customerId,
    name,
    status,
    invoiceCurrency,
    netTermDays,
    primaryEmail,
    address: addressFields(row),
    billingInformation: present({ ...billingInformationOf(row) }),
    aliases: aliases.filter(isPlain).map(({ value }) => value),
    datedAliases: aliases.filter((alias) => !isPlain(alias)).map(datedAlias),
    settings,
    tags,
    metadata,
    ...(!portable && systemFields('Account', row)),
  });
}

/** Returns a change as the API shows it, with its position. */
export function changeRecord(entry: FeedEntry): Fields {
  const { id, kind, at, actor, requestId, customerId, accountId, version, before, after } = entry;
  return {
    position: encodePosition({ position: entry.position, changeId: id }),
    id: toTypeId('Change', id),
    kind,
    at,
    actor,
    requestId,
    customerId,
    accountId,
    version,
    before: presentFields(before),
    after: presentFields(after),
  };
}
