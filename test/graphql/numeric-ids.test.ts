import { beforeAll, describe, expect, it } from 'vitest';
import { createAccount, tenantWithCustomer } from '../support/fixtures.ts';
import { json, sendRaw } from '../support/http.ts';
import { type Client, useService } from '../support/service.ts';

const service = useService();
let client: Client;

beforeAll(async () => {
  client = await tenantWithCustomer(service);
  for (const id of ['12345', '12345678901234567890', '0'])
    await createAccount(client, { id, name: `Account ${id}` });
});

/** Sends variables as JSON text, because JavaScript cannot represent these numbers. */
const send = (query: string, variables: string) =>
  sendRaw(service, client, {
    headers: json,
    body: `{"query": ${JSON.stringify(query)}, "variables": ${variables}}`,
  });

const read = 'query($id: ID!) { account(id: $id) { id } }';
const create = `mutation($input: CreateAccountInput!) { createAccount(input: $input) { __typename } }`;
const entities = 'query($r: [_Any!]!) { _entities(representations: $r) { ... on Account { id } } }';

describe('a number as an ID', () => {
  it.each([
    ['12345', '12345'],
    ['0', '0'],
    ['-0', '0'],
    ['12345.0', '12345'],
  ])('is converted to a string if JSON represents it exactly: %s', async (number, id) => {
    const { data } = await send(read, `{"id": ${number}}`);
    expect(data.account).toEqual({ id });
  });

  it.each(['12345678901234567890', '9007199254740993', '1e30', '1.5', '-12345678901234567890', '1e400'])(
    'is rejected if JSON does not represent it exactly: %s',
    async (number) => {
      const { status, errors, data } = await send(read, `{"id": ${number}}`);
      expect([status, data, errors[0].extensions.code]).toEqual([400, undefined, 'BAD_REQUEST']);
      expect(errors[0].message).toContain('$id');
    },
  );

  it.each(['9007199254740990.9', '1.00000000000000000001', '0.99999999999999999999', '1e-400', '-0.1e-400'])(
    'is rejected if JavaScript rounds it to an integer: %s',
    async (number) => {
      const inText = `"a \\" ${number}"`;
      const { status, errors, data } = await send(read, `{"x": [${inText}, ${number}], "id": "1"}`);
      expect([status, data, errors[0].extensions.code]).toEqual([400, undefined, 'BAD_REQUEST']);
      expect(errors[0].message).toContain(number);
      expect((await send(read, `{"x": ${inText}, "id": "1"}`)).status).toBe(200);
    },
  );

  it.each(['12345e0', '12345.00', '1234.5e1', '12345.0E+0'])(
    'is converted if it is an integer: %s',
    async (number) => {
      const { data } = await send(read, `{"id": ${number}}`);
      expect(data.account).toEqual({ id: '12345' });
    },
  );

  it('is rejected with its path in an input object', async () => {
    const input = '{"id": 12345678901234567890, "name": "Big", "customerId": "C1"}';
    const { errors } = await send(create, `{"input": ${input}}`);
    expect(errors[0].message).toContain('input.id');
    const { errors: inList } = await send(
      'query($ids: [ID!]!) { nodes(nodeIds: $ids) { nodeId } }',
      '{"ids": ["x", 12345678901234567890]}',
    );
    expect(inList[0].message).toContain('ids[1]');
  });

  it('keeps its digits as a literal', async () => {
    const { data } = await client.send('{ account(id: 12345678901234567890) { id } }');
    expect(data.account).toEqual({ id: '12345678901234567890' });
  });

  it('is rejected as a String', async () => {
    const { errors } = await send('query($a: String!) { accountByAlias(alias: $a) { id } }', '{"a": 12345}');
    expect(errors[0].extensions.code).toBe('BAD_REQUEST');
  });
});

describe('a number as the id of a representation', () => {
  it('is rejected as the node id if it lost digits', async () => {
    const { data, errors } = await send(
      entities,
      '{"r": [{"__typename": "Account", "nodeId": 12345678901234567890}]}',
    );
    expect(data._entities).toEqual([null]);
    expect(errors[0].message).toContain('`nodeId`');
  });

  it('is converted to a string', async () => {
    const { data } = await send(entities, '{"r": [{"__typename": "Account", "id": 12345}]}');
    expect(data._entities).toEqual([{ id: '12345' }]);
  });

  it('keeps its digits as a literal', async () => {
    const { data } = await client.send(
      '{ _entities(representations: [{ __typename: "Account", id: 12345678901234567890 }]) { ... on Account { id } } }',
    );
    expect(data._entities).toEqual([{ id: '12345678901234567890' }]);
  });

  it.each(['12345678901234567890', '1.5', '1e30'])('is rejected with its path: %s', async (number) => {
    const good = '{"__typename": "Account", "id": "12345"}';
    const bad = `{"__typename": "Account", "id": ${number}}`;
    const { data, errors } = await send(entities, `{"r": [${good}, ${bad}]}`);
    expect(data._entities).toEqual([{ id: '12345' }, null]);
    expect(errors[0]).toMatchObject({ path: ['_entities', 1], extensions: { code: 'BAD_REQUEST' } });
  });
});

describe('POST /accounts', () => {
  it.each([
    ['id', 12345],
    ['name', 12345],
    ['primaryEmail', 5],
    ['netTermDays', '5'],
  ])('rejects a %s of another type: %j', async (name, value) => {
    const account = { id: 'N1', name: 'Name', customerId: 'C1', [name]: value };
    const response = await service.fetch(
      new Request('http://localhost/accounts', {
        method: 'POST',
        headers: { authorization: `Bearer ${client.token}`, ...json },
        body: JSON.stringify(account),
      }),
    );
    expect(response.status).toBe(400);
  });
});
