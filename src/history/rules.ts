export const changeKinds = {
  CUSTOMER_CREATED: 'The customer was created.',
  CUSTOMER_UPDATED: 'Fields of the customer changed.',
  CUSTOMER_ARCHIVED: 'The customer was archived.',
  CUSTOMER_RESTORED: 'The customer was restored.',
  ACCOUNT_CREATED: 'The account was created.',
  ACCOUNT_UPDATED: 'Fields of the account changed.',
  ACCOUNT_ARCHIVED: 'The account was archived.',
  ACCOUNT_RESTORED: 'The account was restored.',
  ALIASES_ADDED: 'Aliases were added to the account.',
  ALIASES_REMOVED: 'Aliases of the account ended.',
  ALIAS_TRANSFERRED: 'An alias moved from one account to another. Both accounts have this change.',
  SETTINGS_PUT: 'Settings were added or changed.',
  SETTINGS_REMOVED: 'Settings were removed.',
} as const;

/** The most changes of a tenant that one poll delivers, and that can wait for a slow subscriber. */
export const maxWaitingChanges = 2000;
/** The limits of concurrent subscriptions of a key and of a replica. */
export const maxFollowersPerKey = 50;
export const maxFollowers = 1000;

/** The changes that a subscriber gets: all, or those of an account or of the accounts of a customer. */
export interface ChangeFilter {
  accountId?: string | null | undefined;
  customerId?: string | null | undefined;
}

export type ChangeKind = keyof typeof changeKinds;
