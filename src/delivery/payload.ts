import type { ChangeKind } from '../history/rules.ts';

const maxBodyBytes = 20_000;

export interface WebhookChange {
  /** TypeID, such as `change_01m84fadmwe03rqpvwbebaam9z`. */
  id: string;
  kind: ChangeKind;
  at: Date | string;
  version: number;
  position: string;
  customerId: string;
  /** null: a change of the customer itself. */
  accountId: string | null;
  actor: string;
  requestId: string;
  /** The fields under their names in the API. */
  before: object | null;
  after: object | null;
}

/** `THIN` names what changed, and `FULL` includes the fields before and after the change. */
export type PayloadStyle = 'THIN' | 'FULL';

const actions: Record<ChangeKind, string> = {
  CUSTOMER_CREATED: 'created',
  CUSTOMER_UPDATED: 'updated',
  CUSTOMER_ARCHIVED: 'archived',
  CUSTOMER_RESTORED: 'restored',
  ACCOUNT_CREATED: 'created',
  ACCOUNT_UPDATED: 'updated',
  ACCOUNT_ARCHIVED: 'archived',
  ACCOUNT_RESTORED: 'restored',
  ACCOUNT_REVERTED: 'reverted',
  ALIASES_ADDED: 'aliases_added',
  ALIASES_REMOVED: 'aliases_removed',
  ALIAS_TRANSFERRED: 'alias_transferred',
  SETTINGS_PUT: 'settings_put',
  SETTINGS_REMOVED: 'settings_removed',
};

/** Returns the event type, such as `account.created` or `customer.settings_put`. */
export function eventType({ kind, accountId }: Pick<WebhookChange, 'kind' | 'accountId'>): string {
  return `${accountId === null ? 'customer' : 'account'}.${actions[kind]}`;
}

/**
 * Returns the body of a webhook as JSON. A full body of more than 20,000 bytes leaves out `before` and `after` and has
 * `truncated: true`.
 */
export function webhookBody(change: WebhookChange, style: PayloadStyle): string {
  const { id, kind, at, version, position, customerId, accountId, actor, requestId, before, after } = change;
  const thin = { id, kind, position, sequence: version, customerId, accountId, actor, requestId };
  const withData = (data: object) =>
    JSON.stringify({ type: eventType(change), timestamp: new Date(at).toISOString(), data });
  if (style === 'THIN') return withData(thin);
  const full = withData({ ...thin, before, after });
  return Buffer.byteLength(full) > maxBodyBytes ? withData({ ...thin, truncated: true }) : full;
}
