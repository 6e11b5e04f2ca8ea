import type { Ctx } from '../ctx.ts';
import { InvalidInputError, NotFoundError } from '../lib/errors.ts';
import { entityId as ownerId } from '../lib/fields.ts';
import { report } from '../lib/rule.ts';
import { requireScope } from '../lib/scope.ts';
import { facade } from '../rest/facade.ts';
import { askedPage, pageAnswer, pageOf, pageQuery, parsedFilter } from '../rest/page.ts';
import { nameInPath } from '../rest/path.ts';
import { answer, body, call, type Rest, type RestContext } from '../rest/route.ts';
import { z } from '../rest/zod.ts';
import { settingPage, settingsOfOwner } from '../setting/read.ts';
import * as rules from '../setting/rules.ts';
import { type FullId, fullIdOf, readFullId } from '../setting/rules.ts';
import type { SettingRow } from '../setting/table.ts';
import { keyOf, writeHeaders, written } from '../writing/rest.ts';
import { settingExisted } from './read.ts';
import { changeSetting, createSettings, type SettingsOwner } from './write.ts';

const tags = ['Settings'];

const entityType = z.enum(rules.ownerTypes).describe('Whether an account or a customer owns it.');
const entityId = ownerId.describe('The id of the account or customer that owns it.');

const SettingAnswer = z
  .strictObject({
    ...rules.setting.shape,
    entityType,
    entityId,
    fullId: z
      .string()
      .describe(
        'The name of the setting in paths: `setting.<namespace>.<id>.<ACCOUNT|CUSTOMER>.<owner id>`. Inside a part, `~1` stands for a dot and `~0` for a tilde.',
      ),
  })
  .describe('A typed key-value of an account or customer.')
  .openapi('Setting');

/** The owner type of an organization's settings, which the service does not store. */
const organization = 'ORGANIZATION';

/** Accepts ORGANIZATION only to refuse it with the reason, because the published clients offer it. */
const ownerInBody = z
  .enum([...rules.ownerTypes, organization])
  .check((payload) => {
    if (payload.value === organization)
      report(
        payload,
        'INVALID_VALUE',
        'must be ACCOUNT or CUSTOMER: settings of an organization are not stored',
      );
  })
  .transform((type) => type as rules.OwnerType)
  .describe('Whether an account or a customer owns it.')
  .openapi({ enum: [...rules.ownerTypes] });

const CreateSettingBody = facade(
  z.object({ ...rules.setting.shape, entityType: ownerInBody, entityId }).check(rules.checkValue),
)
  .describe('The new setting.')
  .openapi('CreateSettingRequest');

const { name, dataType, value } = rules.changeSettingInput.shape;

const UpdateSettingBody = facade(z.object({ name, dataType, value }))
  .describe(
    'The changes. A field that is left out keeps its value. The resulting value must match the resulting type.',
  )
  .openapi('UpdateSettingRequest');

const example = {
  id: 'accountSettingId',
  value: 'INR',
  namespace: 'USER',
  name: 'Settings Name',
  dataType: 'STRING',
  entityType: 'ACCOUNT',
  entityId: 'ACC00001',
};

const exampleAnswer = { ...example, fullId: 'setting.USER.accountSettingId.ACCOUNT.ACC00001' };

const settingPath = nameInPath(
  'id',
  z
    .string()
    .describe(
      'The `fullId` of the setting. Unescaped dots inside its parts are accepted if exactly one existing setting matches.',
    ),
  settingExisted,
);

const ownerScope = (verb: 'read' | 'write') =>
  `Needs the scope \`accounts:${verb}\` or \`customers:${verb}\`, depending on the owner.`;

const createRoute = call([], {
  method: 'post',
  path: '/settings',
  operationId: 'insertSetting',
  tags,
  summary: 'Create a setting',
  description: `Creates a setting of an account or customer. ${ownerScope('write')}`,
  request: { headers: writeHeaders, body: body(CreateSettingBody, example) },
  responses: { 201: answer(SettingAnswer, 'The new setting.', exampleAnswer) },
});

const filter = z.strictObject({
  entity_type: z
    .enum([...rules.ownerTypes, organization])
    .optional()
    .describe('Whether an account or a customer owns it. `ORGANIZATION` matches no setting.'),
  entity_id: entityId.optional(),
  setting_id: z
    .string()
    .max(500)
    .optional()
    .describe('The id of the setting in its namespace, or its full id.'),
  namespace: rules.namespace.optional(),
});

const listRoute = call([], {
  method: 'get',
  path: '/settings',
  operationId: 'listSetting',
  tags,
  summary: 'List settings',
  description:
    'Lists the settings that match all conditions, ordered by type and id of the owner, then by namespace and id. Needs the scopes `accounts:read` and `customers:read`; with `entity_type`, only the one for that type.',
  request: { query: filter.extend(pageQuery) },
  responses: { 200: answer(pageOf(SettingAnswer, 'SettingPage'), 'A page of settings.') },
});

const getRoute = call([], {
  method: 'get',
  path: '/settings/{id}',
  operationId: 'getSetting',
  tags,
  summary: 'Get a setting',
  description: `Returns the setting with this full id. ${ownerScope('read')}`,
  request: { params: settingPath },
  responses: { 200: answer(SettingAnswer, 'The setting.', exampleAnswer) },
});

const updateRoute = call([], {
  method: 'patch',
  path: '/settings/{id}',
  operationId: 'updateSetting',
  tags,
  summary: 'Change a setting',
  description: `Changes fields of a setting. To delete a setting, use the GraphQL mutation \`removeSettings\`. ${ownerScope('write')}`,
  request: { params: settingPath, headers: writeHeaders, body: body(UpdateSettingBody, { value: 'EUR' }) },
  responses: { 201: answer(SettingAnswer, 'The setting as it is now.') },
});

function showSetting(row: SettingRow) {
  const { id, value, namespace, name, dataType, ownerType, ownerId } = row;
  return {
    id,
    value,
    entityType: ownerType,
    entityId: ownerId,
    namespace,
    name,
    dataType,
    fullId: fullIdOf(row),
  };
}

function assertAllowed(ctx: Ctx, ownerType: rules.OwnerType, verb: 'read' | 'write'): void {
  requireScope(ctx.viewer, ownerType === 'ACCOUNT' ? `accounts:${verb}` : `customers:${verb}`);
}

const isSame = (row: SettingRow, { namespace, id }: Pick<FullId, 'namespace' | 'id'>) =>
  row.namespace === namespace && row.id === id;

/** Returns the setting that a full id names. Throws InvalidInputError if it can name several. */
async function findSetting(ctx: Ctx, text: string, verb: 'read' | 'write'): Promise<SettingRow | undefined> {
  const meant = readFullId(text);
  for (const { ownerType } of meant) assertAllowed(ctx, ownerType, verb);
  const found = await Promise.all(
    meant.map(async (one) => {
      const settings = await ctx.load(settingsOfOwner, { type: one.ownerType, id: one.ownerId });
      return settings.filter((row) => isSame(row, one));
    }),
  );
  const [setting, ...others] = found.flat();
  if (setting === undefined || others.length === 0) return setting;
  const message = `matches several settings. Write dots inside its parts as ~1, such as ${fullIdOf(setting)}`;
  throw new InvalidInputError([{ path: ['id'], code: 'INVALID_VALUE', message }]);
}

/** Returns the first of the given settings that its owner has after a write. */
function settingIn({ settings }: SettingsOwner, keys: Pick<FullId, 'namespace' | 'id'>[]) {
  const [row] = keys.flatMap((key) => settings.filter((one) => isSame(one, key)));
  if (row === undefined) throw new Error('A written setting does not exist.');
  return showSetting(row);
}

/**
 * Returns the keys of the settings that a write may have changed. A replayed write may have used the other reading of
 * the path.
 */
function changedIn({ account, customer }: SettingsOwner, { plusName }: RestContext['var'], key: FullId) {
  if (plusName === undefined) return [key];
  const ownerType = account === null ? 'CUSTOMER' : 'ACCOUNT';
  const owner = account ?? customer;
  const meant = plusName.readings.flatMap(readFullId);
  return meant.filter((one) => one.ownerType === ownerType && one.ownerId === owner?.id);
}

const emptyPage = { rows: [], hasMore: false, cursorOf: () => '' };

/** Whether a condition differs from the setting that a full id names. */
function contradicts(
  named: FullId,
  conditions: { [key in keyof FullId]?: FullId[key] | undefined },
): boolean {
  const given = Object.entries(conditions).filter(([, value]) => value !== undefined);
  return given.some(([key, value]) => named[key as keyof FullId] !== value);
}

function registerReads(rest: Rest): void {
  rest.openapi(listRoute, async (c) => {
    const { ctx } = c.var;
    const asked = askedPage('settings', c.req.valid('query'));
    const wanted = parsedFilter(filter, asked);
    if (wanted.entity_type === organization) return c.json(pageAnswer(asked, 'ASC', [], emptyPage), 200);
    const [named] = readFullId(wanted.setting_id ?? '');
    const ownerType = wanted.entity_type ?? named?.ownerType;
    const ownerTypes = ownerType ? [ownerType] : rules.ownerTypes;
    for (const type of ownerTypes) assertAllowed(ctx, type, 'read');
    const { entity_id: ownerId, namespace } = wanted;
    const isNone = named && contradicts(named, { ownerType, ownerId, namespace });
    if (isNone) return c.json(pageAnswer(asked, 'ASC', [], emptyPage), 200);
    const conditions = named ?? { ownerId, namespace, id: wanted.setting_id };
    const { size: first, after } = asked;
    const page = await settingPage(ctx, { first, after }, { ownerTypes, ...conditions });
    return c.json(pageAnswer(asked, 'ASC', page.rows.map(showSetting), page), 200);
  });

  rest.openapi(getRoute, async (c) => {
    const { id } = c.req.valid('param');
    const setting = await findSetting(c.var.ctx, id, 'read');
    if (setting === undefined) throw new NotFoundError('Setting', id);
    return c.json(showSetting(setting), 200);
  });
}

function registerWrites(rest: Rest): void {
  rest.openapi(createRoute, async (c) => {
    const { ctx } = c.var;
    const { entityType, entityId, ...setting } = c.req.valid('json');
    assertAllowed(ctx, entityType, 'write');
    const owner = entityType === 'ACCOUNT' ? { accountId: entityId } : { customerId: entityId };
    const idempotencyKey = c.req.valid('header')['Idempotency-Key'];
    const result = await createSettings(ctx, { ...owner, settings: [setting], idempotencyKey });
    return c.json(settingIn(written(c, result), [setting]), 201);
  });

  rest.openapi(updateRoute, async (c) => {
    const { ctx } = c.var;
    const fullId = c.req.valid('param').id;
    const key = keyOf(c, c.req.valid('header'), c.req.valid('json'));
    const found = await findSetting(ctx, fullId, 'write');
    // A replay succeeds even if its setting has been removed since.
    const meant = found ?? (key.idempotencyKey == null ? undefined : readFullId(fullId)[0]);
    if (meant === undefined) throw new NotFoundError('Setting', fullId);
    const { ownerType, ownerId, namespace, id } = meant;
    const name = { ownerType, ownerId, namespace, id };
    const result = written(c, await changeSetting(ctx, { ...c.req.valid('json'), ...name, ...key }));
    return c.json(settingIn(result, changedIn(result, c.var, name)), 201);
  });
}

/** Registers the routes of settings. */
export function settingRoutes(rest: Rest): void {
  registerReads(rest);
  registerWrites(rest);
}
