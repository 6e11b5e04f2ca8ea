import { beforeAll, describe, expect, it } from 'vitest';
import { ask } from './ask.ts';
import { problemsOf, run, useService } from './support.ts';

const service = useService();
let documents: typeof import('./tada/accounts.ts');

beforeAll(async () => {
  await run('tada', 'gql.tada', 'generate', 'output');
  documents = await import('./tada/accounts.ts');
});

const customerId = 'C1234qwd';

describe('a document typed by gql.tada', () => {
  it('compiles if it matches the schema', async () => {
    expect(await problemsOf('tada', 'tsconfig.json')).toEqual([]);
  });

  it('does not compile with an unknown field, input or value', async () => {
    expect(await problemsOf('tada', 'mistakes.tsconfig.json')).toEqual([
      expect.stringMatching(/^mistakes.ts\(8,.*'nmae' does not exist/),
      expect.stringMatching(/^mistakes.ts\(9,.*'version' does not exist/),
      expect.stringMatching(/^mistakes.ts\(12,.*'customer' does not exist in type/),
      expect.stringMatching(/^mistakes.ts\(14,.*'account' does not exist/),
      expect.stringMatching(/^mistakes.ts\(16,.*'string' is not assignable to type 'Date'/),
      expect.stringMatching(/^mistakes.ts\(17,.*'unknown' is not assignable to type 'number'/),
      expect.stringMatching(/^mistakes.ts\(18,.*"ARCHIVED" \| "DRAFT"' is not assignable to type '"CLOSED"'/),
      expect.stringMatching(/^mistakes.ts\(23,.*'unknown' is not assignable to type 'string'/),
    ]);
  });

  it('is checked by gql.tada check', async () => {
    await run('tada', 'gql.tada', 'check', '--fail-on-warn');
    const checked = run('tada', 'gql.tada', 'check', '--tsconfig', 'mistakes.tsconfig.json');
    await expect(checked).rejects.toMatchObject({
      stdout: expect.stringContaining('Cannot query field "nmae" on type "Tenant"'),
    });
  });

  it('creates accounts, lists them in pages, and updates one', async () => {
    const { accounts, createAccount, updateAccount } = documents;
    for (const id of ['TD1', 'TD2', 'TD3']) {
      const input = { id, name: `Account ${id}`, customerId, tags: ['tada'], metadata: { id } };
      const { createAccount: answer } = await ask(service, createAccount, { input });
      if (answer.__typename !== 'CreateAccountSuccess') throw new Error(answer.message);
      const { account } = answer;
      expect(account).toMatchObject({ id, version: 1, metadata: { id } });
      expect(new Date(account.createdAt).toISOString()).toBe(account.createdAt);
    }
    const filter = { tag: 'tada', status: ['ACTIVE' as const], createdAt: { from: '2020-01-01T00:00:00Z' } };
    const { accounts: first } = await ask(service, accounts, { filter, first: 2 });
    expect(first.nodes.map(({ name }) => name)).toEqual(['Account TD1', 'Account TD2']);
    const after = first.pageInfo.endCursor;
    const { accounts: second } = await ask(service, accounts, { filter, first: 2, after });
    expect(second.nodes.map(({ id }) => id)).toEqual(['TD3']);
    expect(second.pageInfo.hasNextPage).toBe(false);
    const { updateAccount: updated } = await ask(service, updateAccount, {
      input: { id: 'TD2', name: 'Renamed' },
    });
    if (updated.__typename !== 'UpdateAccountSuccess') throw new Error(updated.message);
    expect(updated.account).toMatchObject({ id: 'TD2', name: 'Renamed', version: 2 });
  });

  it('narrows an error to its fields by __typename', async () => {
    const { createAccount, updateAccount } = documents;
    const input = { id: 'TDtwice', name: 'An Account', customerId };
    await ask(service, createAccount, { input });
    const { createAccount: taken } = await ask(service, createAccount, { input });
    if (taken.__typename !== 'IdTakenError') throw new Error(taken.__typename);
    expect(taken).toMatchObject({ code: 'ID_TAKEN', accountId: 'TDtwice' });
    const bad = { ...input, name: '', netTermDays: -1 };
    const { createAccount: invalid } = await ask(service, createAccount, { input: bad });
    if (invalid.__typename !== 'InvalidInputError') throw new Error(invalid.__typename);
    expect(invalid.issues.map(({ path, code }) => `${path} ${code}`)).toEqual([
      'name TOO_SHORT',
      'netTermDays TOO_SMALL',
    ]);
    const stale = { id: 'TDtwice', name: 'Renamed', expectedVersion: 7 };
    const { updateAccount: conflict } = await ask(service, updateAccount, { input: stale });
    if (conflict.__typename !== 'VersionConflictError') throw new Error(conflict.__typename);
    expect(conflict.currentVersion).toBe(1);
  });
});
