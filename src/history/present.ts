import { addressColumns } from '../address/table.ts';

type Fields = Record<string, unknown>;

const billingFields = ['emailRecipients', 'additionalEmailRecipients'];

/** Returns the API's name of an address column: `line1` for `addressLine1`. */
function addressField(column: string): string {
  const name = column.slice('address'.length);
  return name.charAt(0).toLowerCase() + name.slice(1);
}

/** The stored key of each field that the API nests. */
const nested: [group: string, field: string, key: string][] = [
  ...Object.keys(addressColumns()).map((key): [string, string, string] => [
    'address',
    addressField(key),
    key,
  ]),
  ...billingFields.map((field): [string, string, string] => ['billingInformation', field, field]),
];
const nestedKeys = new Set(nested.map(([, , key]) => key));
const paths = new Map(nested.map(([group, field, key]) => [key, `${group}.${field}`]));

/** Returns the API's name of a stored field: `address.line1` for `addressLine1`, the same name for others. */
export function fieldPath(key: string): string {
  return paths.get(key) ?? key;
}

function bound(value: unknown): unknown {
  return value === undefined || value === 'infinity' || value === '-infinity' ? null : value;
}

function presentAlias({ value, effectiveFrom, effectiveUntil }: Fields): Fields {
  return { value, effectiveFrom: bound(effectiveFrom), effectiveUntil: bound(effectiveUntil) };
}

function presentSetting({ namespace, id, name, dataType, value }: Fields): Fields {
  return { namespace, id, name, dataType, value };
}

const presenters: Record<string, (element: Fields) => Fields> = {
  aliases: presentAlias,
  settings: presentSetting,
};

/** Returns stored fields under their names in the API. Absent fields stay absent. */
export function presentFields(stored: Fields | null): Fields | null {
  if (stored === null) return null;
  const shown: Fields = {};
  for (const [key, value] of Object.entries(stored)) {
    const present = presenters[key];
    if (nestedKeys.has(key)) continue;
    shown[key] = present && Array.isArray(value) ? value.map(present) : value;
  }
  for (const [group, field, key] of nested) {
    if (key in stored) shown[group] = { ...(shown[group] as Fields | undefined), [field]: stored[key] };
  }
  return shown;
}
