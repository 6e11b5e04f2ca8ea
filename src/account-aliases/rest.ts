import { AccountAnswer, accountPath, findAccount, showAccount, toDomainInput } from '../account/rest.ts';
import type { AccountRow } from '../account/table.ts';
import {
  aliasExisted,
  aliasesOfAccount,
  aliasPage,
  aliasTimeline,
  findRegistered,
  type ListedAlias,
} from '../alias/read.ts';
import * as rules from '../alias/rules.ts';
import { spanIdOf } from '../alias/rules.ts';
import type { AliasRow } from '../alias/table.ts';
import type { Ctx } from '../ctx.ts';
import { NotFoundError } from '../lib/errors.ts';
import { maxPageSize } from '../lib/page.ts';
import { Success } from '../rest/answer.ts';
import { noBeginning, noEnd } from '../rest/dates.ts';
import { facade } from '../rest/facade.ts';
import {
  type AskedPage,
  askedPage,
  maxUnlimitedSize,
  nextPage,
  nextToken,
  pageAnswer,
  pageOf,
  pageQuery,
  pageSizeOf,
  type ReadPage,
} from '../rest/page.ts';
import { nameInPath } from '../rest/path.ts';
import { answer, body, call, type Rest } from '../rest/route.ts';
import { z } from '../rest/zod.ts';
import { keyOf, writeHeaders, written } from '../writing/rest.ts';
import { accountByAlias } from './read.ts';
import { addAliases, endAlias, registerAliases, removeSpans } from './write.ts';

const { checkSpans, checkSome } = rules.aliasListRules('accountAliases');
const { aliases, datedAliases } = rules.addAliasesInput.shape;

export const AddAliasesBody = facade(
  z
    .object({
      aliases,
      accountAliases: datedAliases,
    })
    .check(checkSpans)
    .check(checkSome),
)
  .describe('The aliases to add, at least one.')
  .openapi('AddAccountAliasesRequest');

export const RegisterAliasesBody = facade(z.object({ aliases: rules.registerAliasesInput.shape.aliases }))
  .describe(`Values to register, 1 to ${rules.maxRegistered}.`)
  .openapi('CreateAliasesRequest');

const { aliases: names, spans } = rules.removeSpansInput.shape;

export const RemoveAliasesBody = facade(
  z
    .object({
      aliases: names.describe('The values or ids of aliases to end now.'),
      accountAliases: spans.describe('Aliases to end at an instant, by id.'),
    })
    .check(checkSome),
)
  .describe('The aliases to end, at least one.')
  .openapi('RemoveAccountAliasesRequest');

const instant = (description: string) => z.iso.datetime().describe(description);

const AliasAnswer = z
  .strictObject({ value: rules.value, createdAt: instant("The time of the alias's creation.") })
  .describe('An alias that is in force now, or a registered value.')
  .openapi('Alias');

const AccountAliasAnswer = z
  .strictObject({
    id: rules.spanId,
    value: rules.value,
    effectiveFrom: instant(
      `The instant from which the value names the account. \`${noBeginning}\` if it has no start.`,
    ),
    effectiveUntil: instant(
      `The instant from which the value no longer names the account. \`${noEnd}\` if it has no end.`,
    ),
    createdAt: instant("The time of the alias's creation."),
  })
  .describe('A past, current or future alias of an account.')
  .openapi('AccountAlias');

const exampleAlias = { value: 'acme_primary', createdAt: '2026-11-24T20:49:31.000Z' };
const exampleSpan = {
  id: 'alias_51qcp39n8nhg4rtas9z5jk5pqy',
  value: exampleAlias.value,
  effectiveFrom: noBeginning,
  effectiveUntil: noEnd,
  createdAt: exampleAlias.createdAt,
};

const aliasPath = nameInPath('alias', rules.endAliasInput.shape.alias, aliasExisted);
const tags = ['Aliases'];

const addRoute = call(['accounts:write'], {
  method: 'post',
  path: '/accounts/{id}/add_aliases',
  operationId: 'addAliases',
  tags,
  summary: 'Add aliases to an account',
  description: 'Adds aliases to an account. If one is refused, none is added.',
  request: {
    params: accountPath,
    headers: writeHeaders,
    body: body(AddAliasesBody, {
      aliases: ['acme_2'],
      accountAliases: [{ value: 'billing@acme.example', effectiveFrom: '2027-01-01T00:00:00Z' }],
    }),
  },
  responses: { 200: answer(AccountAnswer, 'The account with its aliases.') },
});

const removeRoute = call(['accounts:write'], {
  method: 'post',
  path: '/accounts/{id}/remove_aliases',
  operationId: 'removeAliases',
  tags,
  summary: 'End aliases of an account',
  description:
    'Ends aliases. If one is refused, none ends. Past spans stay in `account_aliases`. Spans that start later are removed.',
  request: {
    params: accountPath,
    headers: writeHeaders,
    body: body(RemoveAliasesBody, { accountAliases: [{ id: exampleSpan.id, from: '2027-01-01T00:00:00Z' }] }),
  },
  responses: { 200: answer(AccountAnswer, 'The account without the aliases.') },
});

const timelineRoute = call(['accounts:read'], {
  method: 'get',
  path: '/accounts/{id}/account_aliases',
  operationId: 'listAccountAliases',
  tags,
  summary: 'List the aliases of an account',
  description: `Lists all spans of the account's aliases, ordered by start (spans without a start first), then by value. Without \`pageSize\`, a response has up to ${maxUnlimitedSize}.`,
  request: {
    params: accountPath,
    query: z.strictObject({ ...pageQuery, pageSize: pageSizeOf(maxUnlimitedSize) }),
  },
  responses: {
    200: answer(
      z
        .strictObject({ data: z.array(AccountAliasAnswer).describe('The spans of this page.'), nextToken })
        .describe('A page of the spans of an account.')
        .openapi('AccountAliasPage'),
      'A page of spans.',
      { data: [exampleSpan] },
    ),
  },
});

const listRoute = call(['accounts:read'], {
  method: 'get',
  path: '/aliases',
  operationId: 'listAliases',
  tags,
  summary: 'List aliases',
  description:
    'Lists the aliases of all accounts that are in force now, and the registered values, ordered by value.',
  request: { query: z.strictObject(pageQuery) },
  responses: { 200: answer(pageOf(AliasAnswer, 'AliasPage'), 'A page of aliases.') },
});

const registerRoute = call(['accounts:write'], {
  method: 'post',
  path: '/aliases',
  operationId: 'createAliases',
  tags,
  summary: 'Register aliases',
  description:
    'Registers values that name no account yet. They name nobody until an account gets them. If one of them is registered or in use, none is registered.',
  request: {
    headers: writeHeaders,
    body: body(RegisterAliasesBody, { aliases: [{ value: exampleAlias.value }] }),
  },
  responses: {
    201: answer(
      z
        .strictObject({ data: z.array(AliasAnswer).describe('The registered values.'), nextToken })
        .describe('The registered values, in the order of the request.')
        .openapi('RegisteredAliases'),
      'The registered values.',
      { data: [exampleAlias] },
    ),
  },
});

const getRoute = call(['accounts:read'], {
  method: 'get',
  path: '/aliases/{alias}',
  operationId: 'getAlias',
  tags,
  summary: 'Get an alias',
  description: "Returns the alias if it is in force now or registered. An account's own id is not an alias.",
  request: { params: aliasPath },
  responses: { 200: answer(AliasAnswer, 'The alias.', exampleAlias) },
});

const deleteRoute = call(['accounts:write'], {
  method: 'delete',
  path: '/aliases/{alias}',
  operationId: 'deleteAlias',
  tags,
  summary: 'End an alias',
  description:
    'Ends an alias now, in whichever account has it. Its span stays in `account_aliases`. A registered value is deleted.',
  request: { params: aliasPath, headers: writeHeaders },
  responses: { 200: answer(Success, 'The alias has ended, or the registered value is deleted.') },
});

function showAlias({ value, createdAt }: ListedAlias) {
  return { value, createdAt: createdAt.toISOString() };
}

function showSpan(account: AccountRow, span: AliasRow) {
  return {
    id: spanIdOf(account, span),
    value: span.value,
    effectiveFrom: span.effectiveFrom?.toISOString() ?? noBeginning,
    effectiveUntil: span.effectiveUntil?.toISOString() ?? noEnd,
    createdAt: span.createdAt.toISOString(),
  };
}

/** Returns the alias that is in force now or registered. Throws NotFoundError. */
async function findAlias(ctx: Ctx, value: string): Promise<ListedAlias> {
  const on = ctx.now;
  const account = await ctx.load(accountByAlias, { value, on });
  const aliases = account === null ? [] : await ctx.load(aliasesOfAccount, { accountId: account.id, on });
  const alias = aliases.find((one) => one.value === value) ?? (await findRegistered(ctx.run, value));
  if (alias === undefined) throw new NotFoundError('Alias', value, ' in force');
  return alias;
}

/** Reads as many spans as requested, in pages of the size that one statement reads. */
async function readSpans(
  ctx: Ctx,
  account: AccountRow,
  { size, after }: Pick<AskedPage, 'size' | 'after'>,
): Promise<ReadPage<AliasRow>> {
  const first = Math.min(size, maxPageSize);
  const page = await aliasTimeline(ctx, account.id, { first, after });
  const last = page.rows.at(-1);
  if (!page.hasMore || last === undefined || first === size) return page;
  const rest = await readSpans(ctx, account, { size: size - first, after: page.cursorOf(last) });
  return { ...rest, rows: [...page.rows, ...rest.rows] };
}

function registerAccountRoutes(rest: Rest): void {
  rest.openapi(addRoute, async (c) => {
    const body = toDomainInput(c.req.valid('json'));
    const key = keyOf(c, c.req.valid('header'), body);
    const input = { ...body, accountId: c.req.valid('param').id, ...key };
    return c.json(await showAccount(c.var.ctx, written(c, await addAliases(c.var.ctx, input))), 200);
  });

  rest.openapi(removeRoute, async (c) => {
    const { aliases, accountAliases: spans } = c.req.valid('json');
    const key = keyOf(c, c.req.valid('header'), { aliases, spans });
    const input = { accountId: c.req.valid('param').id, aliases, spans, ...key };
    return c.json(await showAccount(c.var.ctx, written(c, await removeSpans(c.var.ctx, input))), 200);
  });

  rest.openapi(timelineRoute, async (c) => {
    const account = await findAccount(c.var.ctx, c.req.valid('param').id);
    const list = `aliases of ${account.nodeId}`;
    const asked = askedPage(list, c.req.valid('query'), maxUnlimitedSize);
    const page = await readSpans(c.var.ctx, account, asked);
    const data = page.rows.map((span) => showSpan(account, span));
    return c.json({ data, ...nextPage(asked, page) }, 200);
  });
}

function registerAliasRoutes(rest: Rest): void {
  rest.openapi(listRoute, async (c) => {
    const asked = askedPage('aliases', c.req.valid('query'));
    const page = await aliasPage(c.var.ctx, { first: asked.size, after: asked.after });
    return c.json(pageAnswer(asked, 'ASC', page.rows.map(showAlias), page), 200);
  });

  rest.openapi(registerRoute, async (c) => {
    const key = keyOf(c, c.req.valid('header'), c.req.valid('json'));
    const aliases = written(c, await registerAliases(c.var.ctx, { ...c.req.valid('json'), ...key }));
    return c.json({ data: aliases.map(showAlias) }, 201);
  });

  rest.openapi(getRoute, async (c) => {
    return c.json(showAlias(await findAlias(c.var.ctx, c.req.valid('param').alias)), 200);
  });

  rest.openapi(deleteRoute, async (c) => {
    const key = keyOf(c, c.req.valid('header'));
    written(c, await endAlias(c.var.ctx, { ...c.req.valid('param'), ...key }));
    return c.json({ success: true as const }, 200);
  });
}

/** Registers the routes of aliases. */
export function aliasRoutes(rest: Rest): void {
  registerAccountRoutes(rest);
  registerAliasRoutes(rest);
}
