/** A customer as the Stripe API lists it. All values that an import reads differ. */
export const stripeCustomer = {
  id: 'cus_NffrFeUfNV2Hib',
  object: 'customer',
  address: {
    city: 'Florence',
    country: 'US',
    line1: '2281 Broadway Street',
    line2: 'G-31',
    postal_code: '29501',
    state: 'South Carolina',
  },
  balance: -1200,
  created: 1680893993,
  currency: 'eur',
  default_source: null,
  delinquent: false,
  description: 'Pilot since March',
  discount: null,
  email: 'jennyrosen@example.com',
  invoice_prefix: '0759376C',
  invoice_settings: {
    custom_fields: null,
    default_payment_method: 'pm_1Msy7wLkdIwHu7ixsxmFvcz7',
    footer: null,
    rendering_options: null,
  },
  livemode: false,
  metadata: { crm_id: '4711', 'sales region': 'East' },
  name: 'Rosen & Söhne GmbH',
  next_invoice_sequence: 4,
  phone: '+1 843 555 0100',
  preferred_locales: ['de', 'en'],
  shipping: null,
  tax_exempt: 'reverse',
  test_clock: null,
};

export const stripeList = (...customers: object[]) => ({
  object: 'list',
  url: '/v1/customers',
  has_more: false,
  data: customers,
});

/** A customer as the Lago API lists it. All values that an import reads differ. */
export const lagoCustomer = {
  lago_id: '1a901a90-1a90-1a90-1a90-1a901a901a90',
  sequential_id: 1,
  slug: 'LAG-1234-001',
  external_id: '5eb02857-a71e-4ea2-bcf9-57d3a41bc6ba',
  billing_entity_code: 'acme_corp',
  address_line1: '5230 Penfield Ave',
  address_line2: 'Floor 2',
  applicable_timezone: 'Europe/Paris',
  city: 'Woodland Hills',
  country: 'US',
  currency: 'USD',
  email: 'dinesh@piedpiper.test',
  legal_name: 'Coleman-Blair',
  legal_number: '49-008-2965',
  logo_url: 'http://hooli.com/logo.png',
  name: 'Gavin Belson',
  firstname: null,
  lastname: null,
  account_type: 'customer',
  customer_type: 'company',
  phone: '1-171-883-3711 x245',
  state: 'CA',
  tax_identification_number: 'EU123456789',
  timezone: 'America/Los_Angeles',
  url: 'http://hooli.com',
  zipcode: '91364',
  net_payment_term: 30,
  external_salesforce_id: '001A000001',
  finalize_zero_amount_invoice: 'inherit',
  skip_invoice_custom_sections: false,
  created_at: '2022-04-29T08:59:51Z',
  updated_at: '2022-04-29T08:59:51Z',
  billing_configuration: {
    invoice_grace_period: 3,
    payment_provider: 'stripe',
    payment_provider_code: 'stripe-eu-1',
    provider_customer_id: 'cus_12345',
    document_locale: 'fr',
    provider_payment_methods: ['card', 'sepa_debit'],
  },
  shipping_address: null,
  metadata: [
    {
      lago_id: '27f12d13-4ae0-437b-b822-8771bcd62e3a',
      key: 'Purchase Order',
      value: '123456789',
      display_in_invoice: true,
      created_at: '2022-04-29T08:59:51Z',
    },
  ],
  taxes: [],
};

export const lagoPage = (...customers: object[]) => ({
  customers,
  meta: { current_page: 1, next_page: 2, prev_page: null, total_pages: 4, total_count: 70 },
});

/** An account and a customer as the Togai API lists them. */
export const togaiAccount = {
  id: 'ACC00001',
  togaiAccountId: 'account.safdla.c234ds',
  customerId: 'ACME',
  togaiCustomerId: 'customer.savass.11e1a',
  name: 'ACME Enterprise - Account2',
  invoiceCurrency: 'USD',
  address: {
    phoneNumber: '+919876543210',
    line1: '2281 Broadway Street',
    postalCode: '29501',
    country: 'US',
  },
  primaryEmail: 'admin@example.com',
  billingInformation: { emailRecipients: ['admin@example.com', 'acme@acme.com'] },
  aliases: [{ alias: 'account2@acme.com' }, { alias: '+1234567890' }],
  settings: [{ id: 'po', value: 'INR', namespace: 'USER', name: 'Settings Name', dataType: 'STRING' }],
  netTermDays: 45,
  metadata: { gstn: '29AAACB' },
  tags: ['pilot'],
  status: 'ACTIVE',
};

export const togaiCustomer = {
  id: 'ACME',
  togaiCustomerId: 'customer.savass.11e1a',
  name: 'ACME Enterprise',
  primaryEmail: 'admin@example.com',
  billingAddress: '2281 Broadway Street, 29501, US',
  address: { line1: '2281 Broadway Street', postalCode: '29501', country: 'US' },
  status: 'ACTIVE',
  createdAt: '2024-11-24T20:49:31.000Z',
  updatedAt: '2024-11-24T20:49:31.000Z',
};

export const togaiPage = (...data: object[]) => ({ data, nextToken: 'bmV4dA', context: { pageSize: 20 } });
