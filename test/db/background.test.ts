import { pino } from 'pino';
import { expect, it } from 'vitest';
import { createBackground } from '../../src/context.ts';
import type { StatementRunner } from '../../src/db/client.ts';

const logged: string[] = [];
const log = pino({}, { write: (line: string) => void logged.push(JSON.parse(line).msg) });

function open() {
  const ran: object[] = [];
  const runner = {
    async run(_: object, values: object) {
      ran.push(values);
    },
  } as unknown as StatementRunner;
  return { ran, background: createBackground(runner, log) };
}

it('runs statements for the tenant, drops work while other work runs, and waits for it at the end', async () => {
  const { ran, background } = open();
  let finish = (): void => undefined;
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const statement = { name: 'x' } as never;
  background.start(1, async (run) => {
    await finished;
    await run(statement, { n: 1 });
  });
  background.start(2, async (run) => run(statement, { n: 2 }));
  const closed = background.close();
  finish();
  await closed;
  expect(ran).toEqual([{ n: 1, tenantId: 1 }]);
  background.start(3, async (run) => run(statement, { n: 3 }));
  await background.close();
  expect(ran.at(-1)).toEqual({ n: 3, tenantId: 3 });
});

it('logs an error, and runs later work', async () => {
  const { background } = open();
  background.start(1, () => Promise.reject(new Error('broken')));
  await background.close();
  expect(logged).toEqual(['Work in the background failed']);
  let done = false;
  background.start(1, async () => {
    done = true;
  });
  await background.close();
  expect(done).toBe(true);
});
