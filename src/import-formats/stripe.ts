import { type ImportRecord, toRecord } from './record.ts';
import { extendMetadata, type Fields, isAbsent, isObject, present, refusal } from './values.ts';

function partsOf(value: unknown): Fields {
  return isObject(value) ? value : {};
}

/** Returns the id of an object that a response can also show whole. */
function idOf(value: unknown): unknown {
  return isObject(value) ? value.id : value;
}

function addressOf(customer: Fields): Fields {
  const { line1, line2, postal_code: postalCode, city, state, country } = partsOf(customer.address);
  return present({ phoneNumber: customer.phone, line1, line2, postalCode, city, state, country });
}

function metadataOf(customer: Fields): Fields {
  const { default_payment_method: paymentMethod } = partsOf(customer.invoice_settings);
  const { preferred_locales: locales, tax_exempt: taxExempt } = customer;
  return extendMetadata(customer.metadata, {
    stripe_description: customer.description,
    stripe_invoice_prefix: customer.invoice_prefix,
    stripe_payment_method: idOf(paymentMethod),
    stripe_locales: Array.isArray(locales) ? locales.join(',') : locales,
    stripe_tax_exempt: taxExempt === 'none' ? undefined : taxExempt,
    stripe_vat_id: customer.vat_id,
  });
}

const firstPresent = (...values: unknown[]) => values.find((value) => !isAbsent(value));

/**
 * Returns the records of a customer as Stripe's API returns it: a customer, and an account with the same id. Throws
 * InvalidInputError.
 */
export function stripeRecords(customer: Fields): ImportRecord[] {
  const { id, email, currency, object } = customer;
  if (typeof object === 'string' && object !== 'customer')
    throw refusal(
      ['object'],
      'INVALID_VALUE',
      `must be "customer", is ${JSON.stringify(object.slice(0, 50))}`,
    );
  if (customer.deleted === true)
    throw refusal(['deleted'], 'INVALID_VALUE', 'must not be true. Leave deleted customers out of the file');
  const name = firstPresent(customer.name, customer.business_name, customer.description);
  const shared = { primaryEmail: email, address: addressOf(customer) };
  const invoiceCurrency = typeof currency === 'string' ? currency.toUpperCase() : currency;
  return [
    toRecord('customer', present({ id, name, ...shared, metadata: metadataOf(customer) })),
    toRecord('account', present({ id, customerId: id, name, invoiceCurrency, ...shared })),
  ];
}

const metadataSuffix = ' (metadata)';

/** Returns the address in columns that begin with a prefix, or nothing if all are empty. */
function addressIn(cells: Record<string, string>, prefix: string): Fields | undefined {
  const cell = (name: string) => cells[`${prefix}${name}`];
  const address = present({
    line1: cell('Line1'),
    line2: cell('Line2'),
    city: cell('City'),
    state: cell('State'),
    postal_code: firstPresent(cell('Postal Code'), cell('Zip')),
    country: cell('Country'),
  });
  return isAbsent(address) ? undefined : address;
}

/** Returns the records of a row of the customers that Stripe's Dashboard exports. Throws InvalidInputError. */
export function stripeRowRecords(cells: Record<string, string>): ImportRecord[] {
  const metadata = Object.entries(cells)
    .filter(([column, cell]) => column.endsWith(metadataSuffix) && !isAbsent(cell))
    .map(([column, cell]) => [column.slice(0, -metadataSuffix.length), cell] as const);
  return stripeRecords({
    id: cells.id,
    name: cells.Name,
    description: cells.Description,
    email: cells.Email,
    phone: cells.Phone,
    currency: cells.Currency,
    address: addressIn(cells, 'Address ') ?? addressIn(cells, 'Card Address '),
    vat_id: firstPresent(cells['Business Vat ID'], cells['Business VAT ID']),
    metadata: Object.fromEntries(metadata),
  });
}
