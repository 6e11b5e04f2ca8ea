import { describe, expect, it } from 'vitest';
import { eventType, type WebhookChange, webhookBody } from '../../src/delivery/payload.ts';
import { type ChangeKind, changeKinds } from '../../src/history/rules.ts';

const change = (changes: Partial<WebhookChange> = {}): WebhookChange => ({
  id: 'change_01m84fadmwe03rqpvwbebaam9z',
  kind: 'ACCOUNT_UPDATED',
  at: new Date('2026-12-01T10:20:30.456Z'),
  version: 3,
  position: '1x2y3z',
  customerId: 'CUST00001',
  accountId: 'ACC00001',
  actor: 'key_01m84fadmwe03rqpvwbebaam9z',
  requestId: 'req-1',
  before: { name: 'Acme' },
  after: { name: 'Acme Ltd' },
  ...changes,
});

const thinData = {
  id: 'change_01m84fadmwe03rqpvwbebaam9z',
  kind: 'ACCOUNT_UPDATED',
  position: '1x2y3z',
  sequence: 3,
  customerId: 'CUST00001',
  accountId: 'ACC00001',
  actor: 'key_01m84fadmwe03rqpvwbebaam9z',
  requestId: 'req-1',
};

/** A change whose full body has this many bytes. */
function changeOfSize(bytes: number, letter: string): WebhookChange {
  const withName = (name: string) => change({ after: { name } });
  const room = bytes - Buffer.byteLength(webhookBody(withName(''), 'FULL'));
  const size = Buffer.byteLength(letter);
  return withName(letter.repeat(Math.floor(room / size)) + 'x'.repeat(room % size));
}

describe('eventType', () => {
  it('names each kind of change', () => {
    const ofEntity = (accountId: string | null) =>
      (Object.keys(changeKinds) as ChangeKind[])
        .filter((kind) => !kind.startsWith(accountId === null ? 'A' : 'CUSTOMER'))
        .map((kind) => eventType({ kind, accountId }));
    expect(ofEntity(null)).toEqual([
      'customer.created',
      'customer.updated',
      'customer.archived',
      'customer.restored',
      'customer.settings_put',
      'customer.settings_removed',
    ]);
    expect(ofEntity('ACC00001')).toEqual([
      'account.created',
      'account.updated',
      'account.archived',
      'account.restored',
      'account.reverted',
      'account.aliases_added',
      'account.aliases_removed',
      'account.alias_transferred',
      'account.settings_put',
      'account.settings_removed',
    ]);
  });
});

describe('webhookBody', () => {
  it('has the type, the time of the change and its ids', () => {
    expect(JSON.parse(webhookBody(change(), 'THIN'))).toEqual({
      type: 'account.updated',
      timestamp: '2026-12-01T10:20:30.456Z',
      data: thinData,
    });
  });

  it('includes the fields before and after the change in the style FULL', () => {
    expect(JSON.parse(webhookBody(change(), 'FULL')).data).toEqual({
      ...thinData,
      before: { name: 'Acme' },
      after: { name: 'Acme Ltd' },
    });
    expect(JSON.parse(webhookBody(change({ before: null }), 'FULL')).data.before).toBeNull();
  });

  it('accepts the time as text', () => {
    const body = webhookBody(change({ at: '2026-12-01T11:20:30.456+01:00' }), 'THIN');
    expect(JSON.parse(body).timestamp).toBe('2026-12-01T10:20:30.456Z');
  });

  it.each(['x', 'é', '🚀'])('leaves out the fields if the body exceeds 20,000 bytes of %s', (letter) => {
    const largest = webhookBody(changeOfSize(20_000, letter), 'FULL');
    expect(Buffer.byteLength(largest)).toBe(20_000);
    expect(JSON.parse(largest).data).not.toHaveProperty('truncated');
    const larger = webhookBody(changeOfSize(20_001, letter), 'FULL');
    expect(JSON.parse(larger).data).toEqual({ ...thinData, truncated: true });
  });

  it('never marks a thin body as truncated', () => {
    const huge = change({ after: { name: 'x'.repeat(30_000) } });
    expect(JSON.parse(webhookBody(huge, 'THIN')).data).toEqual(thinData);
  });
});
