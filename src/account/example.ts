import type { CreateAccountInput } from './rules.ts';

/** The account that examples create. */
export const exampleAccount = {
  id: 'ACC00001',
  name: 'Primary Account',
  customerId: 'C1234qwd',
  aliases: ['acme_primary', 'acme_1'],
  address: {
    phoneNumber: '+919876543210',
    line1: '2281 Broadway Street',
    line2: 'G-31',
    postalCode: '29501',
    city: 'Florence',
    state: 'South Carolina',
    country: 'US',
  },
  primaryEmail: 'admin@example.com',
  settings: [
    {
      id: 'accountSettingId',
      value: 'INR',
      namespace: 'USER',
      name: 'Settings Name',
      dataType: 'STRING' as const,
    },
  ],
  netTermDays: 45,
} satisfies CreateAccountInput;
