import { sql } from 'drizzle-orm';
import { describe, expect, it } from 'vitest';
import { exportHistory } from '../../src/export/export.ts';
import { linesOf, useExports } from '../support/exports.ts';
import { createCustomer, setting, tenantWithEverything } from '../support/fixtures.ts';
import { mutate } from '../support/mutations.ts';
import { type Client, type Json, useService } from '../support/service.ts';

const service = useService();
const exports = useExports(service);

const document = `query($after: Position) { changes(first: 100, after: $after) { latestPosition nodes {
  position id kind at actor requestId customerId accountId version before after } } }`;

const pull = async (client: Client, after?: string): Promise<Json> =>
  (await client.send(document, { after })).data.changes;

describe('exportHistory', () => {
  it('has every change as the API shows it, in the order of the feed', async () => {
    const client = await tenantWithEverything(service);
    await createCustomer(client, { id: 'C9', address: { line1: 'x' } });
    await mutate(client, 'transferAlias', { alias: 'z', toAccountId: 'A1' });
    await mutate(client, 'putSettings', { accountId: 'A1', settings: [setting('u', { value: 'a\nb' })] });
    const exported = await exports.history(client);
    const { nodes, latestPosition } = await pull(client);
    expect(exported.text).toBe(nodes.map((node: Json) => `${JSON.stringify(node)}\n`).join(''));
    expect(exported).toMatchObject({ changes: nodes.length, position: latestPosition });
  });

  it('continues exactly after the position of any line', async () => {
    const client = await tenantWithEverything(service);
    const whole = await exports.history(client);
    const lines = linesOf(whole);
    for (const [index, { position }] of lines.entries()) {
      expect(linesOf(await exports.history(client, position))).toEqual(lines.slice(index + 1));
    }
    const nothing = await exports.history(client, whole.position);
    expect(nothing).toEqual({ text: '', changes: 0, position: whole.position });
    await mutate(client, 'updateAccount', { id: 'A1', name: 'Next' });
    expect(linesOf(await exports.history(client, nothing.position))).toMatchObject([
      { after: { name: 'Next' } },
    ]);
  });

  it('reads long histories in pages, without changes that commit while it runs', async () => {
    const client = await tenantWithEverything(service);
    const { changes } = await exports.history(client);
    await service.database.orm.execute(sql`
      insert into changes (tenant_id, id, customer_id, account_id, kind, at, actor, request_id, version)
      select ${client.tenantId}, uuidv7(), 'C1', 'A4', 'ACCOUNT_UPDATED', now(), 'key_x', 'r', n
      from generate_series(3, 602) n`);
    const pages: Json[][] = [];
    const source = { database: exports.database, tenantId: client.tenantId };
    const first = await exportHistory(source, {}, async (chunks) => {
      for await (const text of chunks) {
        pages.push(linesOf({ text }));
        await mutate(client, 'updateAccount', { id: 'A1', name: `After page ${pages.length}` });
        await exports.history(client);
      }
    });
    expect(pages.length).toBeGreaterThan(2);
    expect(first.changes).toBe(changes + 600);
    const added = pages.flat().slice(changes);
    expect(added.map(({ version }) => version)).toEqual(Array.from({ length: 600 }, (_, n) => n + 3));
    expect(added.at(-1).position).toBe(first.position);
    const next = await exports.history(client, first.position);
    expect(linesOf(next).map(({ after }) => after.name)).toEqual(pages.map((_, n) => `After page ${n + 1}`));
  });
});
