import { stringify } from 'csv-stringify/sync';
import type { RecordType } from '../import/rules.ts';
import type { EntityRecord } from './record.ts';

const address = ['line1', 'line2', 'postalCode', 'city', 'state', 'country', 'phoneNumber'].map(
  (field) => `address.${field}`,
);

const columns: Record<RecordType, readonly string[]> = {
  customer: ['id', 'name', 'primaryEmail', ...address, 'settings', 'metadata'],
  account: [
    ...['id', 'customerId', 'name', 'status', 'invoiceCurrency', 'netTermDays', 'primaryEmail', ...address],
    ...['billingInformation.emailRecipients', 'billingInformation.additionalEmailRecipients'],
    ...['aliases', 'datedAliases', 'settings', 'tags', 'metadata'],
  ],
};

const system = ['nodeId', 'version', 'createdAt', 'updatedAt'];
const systemColumns: Record<RecordType, readonly string[]> = {
  customer: ['status', ...system],
  account: system,
};

/** Returns the value at a path such as `address.line1`. Lists and objects are JSON. */
function cellAt(record: EntityRecord, [field = '', part]: string[]): unknown {
  const value =
    part === undefined ? record[field] : (record[field] as Record<string, unknown> | undefined)?.[part];
  return typeof value === 'object' ? JSON.stringify(value) : value;
}

/** Returns functions that write CSV (RFC 4180). Absent fields are empty cells. */
export function createCsv(type: RecordType, portable: boolean) {
  const names = [...columns[type], ...(portable ? [] : systemColumns[type])];
  const paths = names.map((name) => name.split('.'));
  const write = (rows: unknown[][]) => stringify(rows, { record_delimiter: 'windows' });
  return {
    header: (): string => write([names]),
    lines: (records: readonly EntityRecord[]): string =>
      write(records.map((record) => paths.map((path) => cellAt(record, path)))),
  };
}
