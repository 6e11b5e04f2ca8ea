import { expect, it } from 'vitest';
import { openAcknowledged, subscribe } from '../support/websocket.ts';
import { usePrograms } from './program.ts';

const programs = usePrograms();

it('completes a subscription over a WebSocket on SIGTERM, and exits', async () => {
  const { url, token = '', stop } = await programs.serve({ DATA_DIR: programs.path('data') });
  const raw = await openAcknowledged(url, { token });
  raw.send(subscribe('a', 'subscription { changes { version } }'));
  raw.send(subscribe('b', '{ viewer { keyName } }'));
  expect(await raw.next()).toMatchObject({
    id: 'b',
    type: 'next',
    payload: { data: { viewer: { keyName: 'demo' } } },
  });
  expect(await raw.next()).toEqual({ id: 'b', type: 'complete' });
  const ended = stop('SIGTERM');
  expect(await raw.next()).toEqual({ id: 'a', type: 'complete' });
  expect(await raw.closed).toMatchObject({ code: 1001 });
  expect(await ended).toMatchObject({ code: 0, stderr: '' });
});
