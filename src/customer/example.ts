import type { CreateCustomerInput } from './rules.ts';

/** The customer that examples are of. */
export const exampleCustomer = {
  id: 'C1234qwd',
  name: 'Acme Enterprise',
  primaryEmail: 'admin@example.com',
  address: {
    line1: '2281 Broadway Street',
    postalCode: '29501',
    city: 'Florence',
    state: 'South Carolina',
    country: 'US',
  },
} satisfies CreateCustomerInput;
