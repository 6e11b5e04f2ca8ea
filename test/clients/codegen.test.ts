import { beforeAll, describe, expect, it } from 'vitest';
import { ask } from './ask.ts';
import { problemsOf, run, useService } from './support.ts';

const service = useService();
let documents: typeof import('./codegen/accounts.ts');

beforeAll(async () => {
  await run('codegen', 'graphql-codegen', '--config', 'codegen.ts');
  documents = await import('./codegen/accounts.ts');
});

const customerId = 'C1234qwd';

describe('a document typed by graphql-codegen', () => {
  it('compiles if it matches the schema', async () => {
    expect(await problemsOf('codegen', 'tsconfig.json')).toEqual([]);
  });

  it('does not compile with an unknown field, input or value', async () => {
    expect(await problemsOf('codegen', 'mistakes.tsconfig.json')).toEqual([
      expect.stringMatching(/^mistakes.ts\(7,.*'nmae' does not exist/),
      expect.stringMatching(/^mistakes.ts\(8,.*'version' does not exist/),
      expect.stringMatching(/^mistakes.ts\(11,.*'customer' does not exist in type 'CreateAccountInput'/),
      expect.stringMatching(/^mistakes.ts\(13,.*'account' does not exist/),
      expect.stringMatching(/^mistakes.ts\(15,.*'string' is not assignable to type 'Date'/),
      expect.stringMatching(/^mistakes.ts\(16,.*'unknown' is not assignable to type 'number'/),
      expect.stringMatching(/^mistakes.ts\(17,.*'AccountStatus' is not assignable to type '"CLOSED"'/),
    ]);
  });

  it('is not generated with an unknown field', async () => {
    const generated = run('codegen', 'graphql-codegen', '--config', 'mistakes.codegen.ts');
    await expect(generated).rejects.toMatchObject({
      stderr: expect.stringContaining('Cannot query field "nmae" on type "Tenant"'),
    });
  });

  it('creates accounts, lists them in pages, and updates one', async () => {
    const { accounts, createAccount, updateAccount } = documents;
    for (const id of ['CG1', 'CG2', 'CG3']) {
      const input = { id, name: `Account ${id}`, customerId, tags: ['codegen'], metadata: { id } };
      const { createAccount: answer } = await ask(service, createAccount, { input });
      if (answer.__typename !== 'CreateAccountSuccess') throw new Error(answer.message);
      const { account } = answer;
      expect(account).toMatchObject({ id, version: 1, metadata: { id } });
      expect(new Date(account.createdAt).toISOString()).toBe(account.createdAt);
    }
    const filter = {
      tag: 'codegen',
      status: ['ACTIVE' as const],
      createdAt: { from: '2020-01-01T00:00:00Z' },
    };
    const { accounts: first } = await ask(service, accounts, { filter, first: 2 });
    expect(first.nodes.map(({ name }) => name)).toEqual(['Account CG1', 'Account CG2']);
    const after = first.pageInfo.endCursor;
    const { accounts: second } = await ask(service, accounts, { filter, first: 2, after });
    expect(second.nodes.map(({ id }) => id)).toEqual(['CG3']);
    expect(second.pageInfo.hasNextPage).toBe(false);
    const { updateAccount: updated } = await ask(service, updateAccount, {
      input: { id: 'CG2', name: 'Renamed' },
    });
    if (updated.__typename !== 'UpdateAccountSuccess') throw new Error(updated.message);
    expect(updated.account).toEqual({ id: 'CG2', name: 'Renamed', version: 2 });
  });

  it('narrows an error to its fields by __typename', async () => {
    const { createAccount, updateAccount } = documents;
    const input = { id: 'CGtwice', name: 'An Account', customerId };
    await ask(service, createAccount, { input });
    const { createAccount: taken } = await ask(service, createAccount, { input });
    if (taken.__typename !== 'IdTakenError') throw new Error(taken.__typename);
    expect(taken).toMatchObject({ code: 'ID_TAKEN', accountId: 'CGtwice' });
    const bad = { ...input, name: '', netTermDays: -1 };
    const { createAccount: invalid } = await ask(service, createAccount, { input: bad });
    if (invalid.__typename !== 'InvalidInputError') throw new Error(invalid.__typename);
    expect(invalid.issues.map(({ path, code }) => `${path} ${code}`)).toEqual([
      'name TOO_SHORT',
      'netTermDays TOO_SMALL',
    ]);
    const stale = { id: 'CGtwice', name: 'Renamed', expectedVersion: 7 };
    const { updateAccount: conflict } = await ask(service, updateAccount, { input: stale });
    if (conflict.__typename !== 'VersionConflictError') throw new Error(conflict.__typename);
    expect(conflict.currentVersion).toBe(1);
  });
});
