import { sql } from 'drizzle-orm';
import { expect, it } from 'vitest';
import { statement } from '../../src/db/statement.ts';
import { useService } from '../support/service.ts';

const service = useService();

it('rejects a second statement with the name of another one', async () => {
  const { database } = service;
  const options = { acrossTenants: 'It reads no table.' };
  const one = statement(
    'named',
    (orm) => orm.select({ value: sql`1` }).from(sql`(values (1)) as one`),
    options,
  );
  const two = statement(
    'named',
    (orm) => orm.select({ value: sql`2` }).from(sql`(values (1)) as one`),
    options,
  );
  expect(await database.run(one, {})).toEqual([{ value: 1 }]);
  expect(await database.run(one, {})).toEqual([{ value: 1 }]);
  await expect(async () => database.run(two, {})).rejects.toThrow('Two statements are named named.');
});
