export const changeKinds = {
  CUSTOMER_CREATED: 'The customer was created.',
  CUSTOMER_UPDATED: 'Fields of the customer changed.',
  CUSTOMER_ARCHIVED: 'The customer was archived.',
  CUSTOMER_RESTORED: 'The customer was restored.',
  ACCOUNT_CREATED: 'The account was created.',
  ACCOUNT_UPDATED: 'Fields of the account changed.',
  ACCOUNT_ARCHIVED: 'The account was archived.',
  ACCOUNT_RESTORED: 'The account was restored.',
  ACCOUNT_REVERTED: 'Values of an earlier version of the account were written again.',
  ALIASES_ADDED: 'Aliases were added to the account.',
  ALIASES_REMOVED: 'Aliases of the account ended.',
  ALIAS_TRANSFERRED: 'An alias moved from one account to another. Both accounts have this change.',
  SETTINGS_PUT: 'Settings were added or changed.',
  SETTINGS_REMOVED: 'Settings were removed.',
} as const;

export type ChangeKind = keyof typeof changeKinds;
