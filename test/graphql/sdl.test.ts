import { beforeAll, expect, it } from 'vitest';
import { type Client, useService } from '../support/service.ts';

const service = useService();
let client: Client;

beforeAll(async () => {
  client = await service.newTenant();
});

it('links the oldest federation version that has the used directives', async () => {
  const { data } = await client.send('{ _service { sdl } }');
  expect(data._service.sdl).toContain('@link(url: "https://specs.apollo.dev/federation/v2.0"');
});

it.each(['DateTime', 'JSONObject'])('has a specification URL for %s', async (name) => {
  const { data } = await client.send(
    'query($name: String!) { __type(name: $name) { specifiedByURL } _service { sdl } }',
    { name },
  );
  expect(data.__type.specifiedByURL).toMatch(/^https:/);
  expect(data._service.sdl).toContain(`scalar ${name} @specifiedBy(url: "${data.__type.specifiedByURL}")`);
});
