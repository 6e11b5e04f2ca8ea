import { createServer } from 'node:http';
import * as db from './sql.js';

const { sql, inForce } = db;

/** Reads accounts with their customers, aliases and settings in one statement. */
const whole = (accounts, order = sql``) => sql`
  select page.*, customers.name as "customerName",
    (select coalesce(json_agg(value order by created_at, value), '[]') from aliases
      where tenant_id = 1 and account_id = page.id and ${inForce}) as aliases,
    (select coalesce(json_agg(json_build_object('id', id, 'namespace', namespace, 'name', name, 'dataType', data_type,
        'value', value) order by namespace, id), '[]') from settings
      where tenant_id = 1 and owner_type = 'ACCOUNT' and owner_id = page.id) as settings
  from (${accounts}) page join customers on customers.tenant_id = 1 and customers.id = page."customerId" ${order}`;

function accountOf({ customerId, customerName, line1, city, postalCode, country, aliases, ...account }) {
  return {
    ...account,
    customer: { id: customerId, name: customerName },
    address: { line1, city, postalCode, country },
    aliases: aliases.map((value) => ({ value })),
  };
}

const withCustomer = ({ id, name, customerName }) => ({ id, name, customer: { name: customerName } });

const handlers = {
  W1: async ({ input }) => withCustomer((await db.createAccount(input))[0]),
  W2: async ({ id }) => accountOf((await whole(db.accountsByIds([id])))[0]),
  W3: async ({ first }) => {
    const rows = await whole(db.accountPage(first), sql`order by "updatedAt" desc, id`);
    const nodes = rows.slice(0, first);
    const pageInfo = { hasNextPage: rows.length > first, endCursor: db.cursorOf(nodes.at(-1)) };
    return { nodes: nodes.map(accountOf), pageInfo };
  },
  W4: async ({ representations }) => {
    const ids = representations.map(({ id }) => id);
    const rows = await sql`
      select accounts.id, accounts.name, customers.name as "customerName" from accounts
      join customers on customers.tenant_id = 1 and customers.id = accounts.customer_id
      where accounts.tenant_id = 1 and accounts.id = any(${ids})`;
    return db.inOrder(ids, rows).map(withCustomer);
  },
  W5: async () => 'Query',
  W6: async ({ alias }) => {
    const [row] = await sql`
      select accounts.id, accounts.name, accounts.status, customers.id as "customerId", customers.name as "customerName"
      from aliases
      join accounts on accounts.tenant_id = 1 and accounts.id = account_id
      join customers on customers.tenant_id = 1 and customers.id = accounts.customer_id
      where aliases.tenant_id = 1 and value = ${alias} and effective_from <= now() and effective_until > now()`;
    return {
      id: row.id,
      name: row.name,
      status: row.status,
      customer: { id: row.customerId, name: row.customerName },
    };
  },
  W8: async (wanted) => {
    const rows = await sql`
      select page.id, page.name, customers.name as "customerName"
      from (select *, row_number() over () as place from (${db.searchPage(wanted, 20)}) found) page
      join customers on customers.tenant_id = 1 and customers.id = page."customerId" order by page.place`;
    return { nodes: rows.slice(0, 20).map(withCustomer) };
  },
  W7: async ({ input }) => (await db.updateAccount(input))[0],
  'W1-plain': async ({ input }) => withCustomer((await db.createAccountPlain(input))[0]),
  'W7-plain': async ({ input }) => (await db.updateAccountPlain(input))[0],
};

async function answer(request, response) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const result = await handlers[request.url.slice(1)](JSON.parse(Buffer.concat(chunks)));
  const body = JSON.stringify({ data: result });
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

createServer((request, response) => {
  answer(request, response).catch((error) => response.writeHead(500).end(String(error)));
}).listen(Number(process.env.PORT), '127.0.0.1');
