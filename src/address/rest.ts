import { present } from '../rest/answer.ts';
import { z } from '../rest/zod.ts';
import { type AddressColumns, addressOf, fields } from './rules.ts';

/** An address in REST responses, without its missing parts. */
export const AddressAnswer = z
  .strictObject({
    phoneNumber: fields.phoneNumber.optional(),
    line1: fields.line1.optional(),
    line2: fields.line2.optional(),
    postalCode: fields.postalCode.optional(),
    city: fields.city.optional(),
    state: fields.state.optional(),
    country: fields.country.optional(),
  })
  .describe('A postal address with a phone number. Missing parts are left out.')
  .openapi('Address');

/** Returns the address of a row. */
export function showAddress(row: AddressColumns): z.input<typeof AddressAnswer> {
  return present(addressOf(row) ?? {});
}
