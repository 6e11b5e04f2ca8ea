import { describe, expect, it } from 'vitest';
import { useAliasApis } from '../support/alias-api.ts';
import { listOf } from '../support/field-limits.ts';
import { mutate } from '../support/mutations.ts';
import { aliasValues } from '../support/reads.ts';
import { span } from '../support/spans.ts';

const { newTenant } = useAliasApis();

const y2001 = '2001-01-01T00:00:00.000Z';
const y2010 = '2010-01-01T00:00:00.000Z';

describe('the limit of 100 aliases in force', () => {
  const tens = listOf(10, (ten) => listOf(10, (one) => `v${ten}-${one}`));

  it('ignores removed aliases that had no beginning', async () => {
    const { client, api } = await newTenant('GraphQL');
    const removeTen = (aliases: string[]) =>
      mutate(client.graphql, 'removeAliases', { accountId: 'A1', aliases });
    for (const aliases of tens) {
      expect(await api.add('A1', { aliases })).toMatchObject({ code: 'ACCEPTED' });
      await removeTen(aliases);
    }
    expect(await api.add('A1', { dated: [span('dated', y2001)] })).toMatchObject({ code: 'ACCEPTED' });
    for (const aliases of tens.slice(0, 9)) {
      expect(await api.add('A1', { aliases })).toMatchObject({ code: 'ACCEPTED' });
    }
    expect(await api.add('A1', { aliases: tens[9] ?? [] })).toMatchObject({ code: 'LIMIT_EXCEEDED' });
    for (const aliases of tens.slice(0, 9)) await removeTen(aliases);
    for (const ten of listOf(9, (index) => index)) {
      const aliases = listOf(10, (one) => `w${ten}-${one}`);
      expect(await api.add('A1', { aliases })).toMatchObject({ code: 'ACCEPTED' });
    }
    const nine = { aliases: listOf(9, (one) => `z${one}`) };
    expect(await api.add('A1', nine)).toMatchObject({ code: 'ACCEPTED' });
    expect(await aliasValues(client.graphql, 'A1')).toHaveLength(100);
    expect(await api.add('A1', { aliases: ['more'] })).toMatchObject({ code: 'LIMIT_EXCEEDED' });
  });

  it('counts removed aliases with a beginning at instants at which they were in force', async () => {
    const { client, api } = await newTenant('GraphQL');
    for (const values of tens) {
      await api.add('A1', { dated: values.map((value) => span(value, y2001)) });
      await mutate(client.graphql, 'removeAliases', { accountId: 'A1', aliases: values });
    }
    const past = { dated: [span('past', y2001, y2010)] };
    expect(await api.add('A1', past)).toMatchObject({ code: 'LIMIT_EXCEEDED' });
    expect(await api.add('A1', { aliases: ['plain'] })).toMatchObject({ code: 'ACCEPTED' });
  });
});
