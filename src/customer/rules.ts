import { firstAccountInput } from '../account/rules.ts';
import { address } from '../address/rules.ts';
import * as fields from '../lib/fields.ts';
import { neverCleared, report } from '../lib/rule.ts';
import { z } from '../lib/zod.ts';
import { commonFilter, statusFilter } from '../listing/rules.ts';
import { settings } from '../setting/rules.ts';
import { writeOptions } from '../writing/rules.ts';

export const statuses = {
  ACTIVE: 'In use. Accounts can be added.',
  ARCHIVED: 'Out of use. It can be read by id, lists exclude it by default, and it accepts only a restore.',
} as const;

export type CustomerStatus = keyof typeof statuses;

export const id = fields.entityId.describe(
  "The customer's id, chosen by you. Unique among the tenant's customers, and immutable.",
);
export const name = fields.name.describe("The customer's display name.");
export const primaryEmail = fields.email.describe("The customer's main contact email.");

/** The address of a customer. At least one part is required. */
export const requiredAddress = address.check((payload) => {
  if (Object.values(payload.value).every((part) => !part)) {
    report(payload, 'REQUIRED', 'must have at least one part that is not empty');
  }
});

export const createCustomerInput = z.object({
  id,
  name,
  primaryEmail,
  address: requiredAddress,
  settings: settings.nullish(),
  metadata: fields.metadata.nullish(),
  account: firstAccountInput.nullish(),
  ...writeOptions,
});

export type CreateCustomerInput = z.output<typeof createCustomerInput>;

/** An absent field keeps its value, and null clears it. */
export const updateCustomerInput = z.object({
  id: fields.entityReference.describe('The id of an existing customer.'),
  name: neverCleared(name),
  primaryEmail: neverCleared(primaryEmail),
  address: neverCleared(requiredAddress),
  metadata: fields.metadata.nullish(),
  expectedVersion: fields.expectedVersion.nullish(),
  ...writeOptions,
});

export type UpdateCustomerInput = z.output<typeof updateCustomerInput>;

export const statusConditions = statusFilter(Object.keys(statuses) as [CustomerStatus]);

/** The conditions of a list of customers. All must match. */
export const customerFilter = z.object({ ...commonFilter, status: statusConditions.nullish() });

export type CustomerFilter = z.output<typeof customerFilter>;
