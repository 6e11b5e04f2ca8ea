import { type ImportRecord, toRecord } from './record.ts';
import { extendMetadata, type Fields, isAbsent, isObject, present } from './values.ts';

function addressOf(customer: Fields): Fields {
  const { phone, address_line1: line1, address_line2: line2, zipcode, city, state, country } = customer;
  return present({ phoneNumber: phone, line1, line2, postalCode: zipcode, city, state, country });
}

/** Turns a list of keys and values into an object. */
function pairsOf(metadata: unknown): Fields {
  const pairs = Array.isArray(metadata) ? metadata.filter(isObject) : [];
  return Object.fromEntries(pairs.map(({ key, value }) => [String(key), value]));
}

function metadataOf(customer: Fields): Fields {
  const billing = isObject(customer.billing_configuration) ? customer.billing_configuration : {};
  return extendMetadata(present(pairsOf(customer.metadata)), {
    lago_id: customer.lago_id,
    lago_legal_name: customer.legal_name,
    lago_legal_number: customer.legal_number,
    lago_tax_number: customer.tax_identification_number,
    lago_timezone: customer.timezone,
    lago_url: customer.url,
    lago_salesforce_id: customer.external_salesforce_id,
    lago_billing_entity: customer.billing_entity_code,
    lago_payment_provider: billing.payment_provider,
    lago_provider_customer_id: billing.provider_customer_id,
    lago_document_locale: billing.document_locale,
    lago_invoice_grace_period: billing.invoice_grace_period,
  });
}

function nameOf({ name, legal_name: legalName, firstname, lastname }: Fields): unknown {
  const person = [firstname, lastname].filter((part) => !isAbsent(part)).join(' ');
  return [name, legalName, person].find((one) => !isAbsent(one));
}

/**
 * Returns the records of a customer as Lago's API returns it: a customer, and an account with the same id. Throws
 * InvalidInputError.
 */
export function lagoRecords(customer: Fields): ImportRecord[] {
  const { external_id: id, email, currency, net_payment_term: netTermDays } = customer;
  const name = nameOf(customer);
  const shared = { primaryEmail: email, address: addressOf(customer) };
  return [
    toRecord('customer', present({ id, name, ...shared, metadata: metadataOf(customer) })),
    toRecord(
      'account',
      present({ id, customerId: id, name, invoiceCurrency: currency, netTermDays, ...shared }),
    ),
  ];
}
