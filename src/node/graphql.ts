import { brandWithType } from '@pothos/core';
import { accountByKey, customerByKey } from '../account/read.ts';
import type { Ctx } from '../ctx.ts';
import { builder } from '../graphql/builder.ts';
import { entityKeyOf } from '../lib/entity-key.ts';
import { parseTypeId } from '../lib/id.ts';
import { requireScope } from '../lib/scope.ts';

const Node = builder.nodeInterfaceRef();
const ofEverySubgraph = [{ name: 'shareable' }, { name: 'inaccessible' }] as const;

async function loadNode(ctx: Ctx, nodeId: string) {
  const type = parseTypeId(nodeId)?.type;
  if (type !== 'Account' && type !== 'Customer') return null;
  requireScope(ctx.viewer, type === 'Account' ? 'accounts:read' : 'customers:read');
  const key = entityKeyOf(type, { nodeId });
  if (key === undefined) return null;
  const row = await (type === 'Account' ? ctx.load(accountByKey, key) : ctx.load(customerByKey, key));
  if (row !== null) brandWithType(row, type as never);
  return row;
}

builder.queryFields((t) => ({
  node: t.field({
    authScopes: { key: true },
    type: Node,
    nullable: true,
    directives: ofEverySubgraph,
    description: 'The account or customer with this node id. `null` if there is none.',
    args: {
      nodeId: t.arg.id({
        required: true,
        description: 'A `nodeId`, such as `account_01m84fadmwe03rqpvwbebaam9z`.',
      }),
    },
    resolve: (_, { nodeId }, ctx) => loadNode(ctx, nodeId) as never,
  }),
  nodes: t.field({
    authScopes: { key: true },
    type: [Node],
    nullable: { list: false, items: true },
    directives: ofEverySubgraph,
    description:
      'The accounts and customers with these node ids, in the same order. `null` for each unknown id.',
    args: { nodeIds: t.arg.idList({ required: true, description: 'The node ids, of any type.' }) },
    resolve: (_, { nodeIds }, ctx) => nodeIds.map((nodeId) => loadNode(ctx, nodeId)) as never,
  }),
}));
