import { textColumn } from '../db/columns.ts';
import { fields } from './rules.ts';

/** Returns the columns of an address. They take less space than a jsonb column. */
export function addressColumns() {
  return {
    addressPhoneNumber: textColumn(fields.phoneNumber),
    addressLine1: textColumn(fields.line1),
    addressLine2: textColumn(fields.line2),
    addressPostalCode: textColumn(fields.postalCode),
    addressCity: textColumn(fields.city),
    addressState: textColumn(fields.state),
    addressCountry: textColumn(fields.country),
  };
}
