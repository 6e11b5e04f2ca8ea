import { type ChangeKind, changeKinds } from '../history/rules.ts';
import { entityReference } from '../lib/fields.ts';
import { z } from '../lib/zod.ts';

/** The most changes that can wait for a slow subscriber. */
export const maxWaitingChanges = 2000;
/** The limits of concurrent subscriptions of a key and of a replica. */
export const maxSubscriptionsPerKey = 500;
export const maxSubscriptions = 2000;

/** Which changes of a tenant a reader of the feed gets. Conditions are combined; without any, it gets all. */
export interface ChangeFilter {
  /** The changes of this account. */
  accountId?: string | null | undefined;
  /** The changes of this customer and of its accounts. */
  customerId?: string | null | undefined;
  kinds?: readonly ChangeKind[] | null | undefined;
  /** Whether changes of customers themselves are left out. */
  accountsOnly?: boolean | undefined;
}

export const kinds = z
  .array(z.enum(Object.keys(changeKinds) as [ChangeKind]))
  .min(1)
  .max(Object.keys(changeKinds).length);

export const changeFilter = z.object({
  accountId: entityReference.nullish(),
  customerId: entityReference.nullish(),
  kinds: kinds.nullish(),
});
