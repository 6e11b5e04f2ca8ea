import { GraphQLError } from 'graphql';
import { builder } from '../graphql/builder.ts';
import { Change, ChangeKindEnum } from '../history/graphql.ts';
import { entityReference } from '../lib/fields.ts';
import { defaultPageSize, maxPageSize, parsePage } from '../lib/page.ts';
import { encodePosition } from './position.ts';
import { positionOfChange, readFeed } from './read.ts';
import { changeFilter, maxSubscriptionsPerKey, maxWaitingChanges } from './rules.ts';
import type { FeedEntry, FeedPage } from './table.ts';

builder.scalarType('Position', {
  description:
    'A place in the feed of a tenant: all changes up to it have been read. Opaque, and valid as long as the history. The positions of a tenant are in the order of its changes, but their texts do not sort.',
  serialize: (value) => String(value),
  parseValue(value) {
    if (typeof value === 'string') return value;
    throw new GraphQLError(
      `Position cannot represent ${JSON.stringify(value)}. Send a position as a string.`,
    );
  },
});

export const ChangeFilterInput = builder.inputType('ChangeFilter', {
  description: 'The changes to return. Conditions are combined; without any, all changes.',
  fields: (t) => ({
    accountId: t.id({ description: 'Changes of this account, which does not have to exist yet.' }),
    customerId: t.id({ description: 'Changes of this customer and of its accounts.' }),
    kinds: t.field({ type: [ChangeKindEnum], description: 'Changes of these kinds.' }),
  }),
});

builder.objectFields(Change, (t) => ({
  position: t.field({
    type: 'Position',
    description: 'The position of the change in the feed.',
    resolve: (change, _, ctx) =>
      'position' in change
        ? encodePosition({ position: (change as FeedEntry).position, changeId: change.id })
        : ctx.load(positionOfChange, change.id),
  }),
  accountId: t.id({
    nullable: true,
    description: 'The id of the changed account. `null` for a change of a customer.',
    resolve: ({ accountId }) => accountId,
  }),
  customerId: t.id({
    description: "The id of the changed customer, or of the changed account's customer.",
    resolve: ({ customerId }) => customerId,
  }),
}));

const ChangeFeedEdge = builder.objectRef<FeedEntry>('ChangeFeedEdge').implement({
  description: 'An entry of a page of the feed.',
  fields: (t) => ({
    cursor: t.string({
      description: 'The position of the change.',
      resolve: ({ position, id }) => encodePosition({ position, changeId: id }),
    }),
    node: t.field({ type: Change, description: 'The change.', resolve: (change) => change }),
  }),
});

/** Returns the `PageInfo` of a page. Unlike in lists, there is always an end to continue from. */
function pageInfoOf({ entries, end, head }: FeedPage) {
  const [first] = entries;
  return {
    hasNextPage: end.position < head.position,
    hasPreviousPage: (first?.position ?? end.position + 1) > 1,
    startCursor:
      first === undefined ? null : encodePosition({ position: first.position, changeId: first.id }),
    endCursor: encodePosition(end),
  };
}

const ChangeFeedConnection = builder.objectRef<FeedPage>('ChangeFeedConnection').implement({
  description: 'Consecutive changes of the feed, in its order.',
  fields: (t) => ({
    edges: t.field({
      type: [ChangeFeedEdge],
      description: 'The changes of this page, each with its position.',
      resolve: ({ entries }) => [...entries],
    }),
    nodes: t.field({
      type: [Change],
      description: 'The changes of this page.',
      resolve: ({ entries }) => [...entries],
    }),
    pageInfo: t.field({
      type: builder.pageInfoRef(),
      description:
        'The place of this page in the feed. `endCursor` is never `null`: continue after it, also if the page has no changes.',
      resolve: pageInfoOf,
    }),
    latestPosition: t.field({
      type: 'Position',
      description: 'The position of the newest change of the tenant, whether or not the filter selects it.',
      resolve: ({ head }) => encodePosition(head),
    }),
  }),
});

/** The changes of both entities need both scopes. */
const bothScopes = { $all: { scope: 'accounts:read', $all: { scope: 'customers:read' } } } as const;
const order =
  'Each change of the tenant is delivered once, without gaps, and the changes of one entity in the order of their versions.';

builder.queryField('changes', (t) =>
  t.field({
    authScopes: bothScopes,
    type: ChangeFeedConnection,
    description: `The changes of all accounts and customers, oldest first, as far back as the history. ${order} Includes every change that was committed before the request. A page with a filter can have fewer changes than \`first\`, or none, although \`hasNextPage\` is \`true\`.`,
    args: {
      after: t.arg({
        type: 'Position',
        description:
          'Return the changes after this position. Default: from the first change. A position of another tenant, or one that was lost in a restore, is refused with `BAD_REQUEST`.',
      }),
      first: t.arg.int({
        description: `The maximum number of changes: 1 to ${maxPageSize}, default ${defaultPageSize}.`,
      }),
      filter: t.arg({
        type: ChangeFilterInput,
        validate: { schema: changeFilter },
        description: 'Default: all changes.',
      }),
    },
    resolve: (_, { after, first, filter }, ctx) => {
      const { size } = parsePage({ first }, 'feed', () => true);
      return readFeed(ctx, { after, size, filter: filter ?? {} });
    },
  }),
);

const subscriptionRules = `${order} Ends with \`SERVICE_UNAVAILABLE\` if more than ${maxWaitingChanges} changes wait for the client, and with \`UNAUTHENTICATED\` if the token becomes invalid; \`extensions.position\` is where to continue. Ends without an error if the service stops. A key can have ${maxSubscriptionsPerKey} subscriptions; one more is refused with \`RATE_LIMITED\`.`;
const afterDescription =
  'Deliver the changes after this position first, and then new ones. Default: changes from now on. The header `Last-Event-ID` takes precedence.';

builder.subscriptionField('changes', (t) =>
  t.field({
    authScopes: bothScopes,
    type: Change,
    description: `The changes of all accounts and customers, as they are committed. ${subscriptionRules}`,
    args: {
      after: t.arg({ type: 'Position', description: afterDescription }),
      filter: t.arg({
        type: ChangeFilterInput,
        validate: { schema: changeFilter },
        description: 'Default: all changes.',
      }),
    },
    // The pipeline runs the document for each change of a batch.
    subscribe: (_, { after, filter }, ctx) => ctx.subscribeToChanges(filter ?? {}, after) as never,
    resolve: (change) => change as never,
  }),
);

builder.subscriptionField('accountChanged', (t) =>
  t.field({
    authScopes: { scope: 'accounts:read' },
    type: Change,
    description: `The changes of accounts, including their aliases and settings, as they are committed. Changes of customers are not included. ${subscriptionRules}`,
    args: {
      accountId: t.arg.id({
        validate: { schema: entityReference },
        description:
          'Only changes of this account, which does not have to exist yet. With `customerId`, both must match.',
      }),
      customerId: t.arg.id({
        validate: { schema: entityReference },
        description: "Only changes of this customer's accounts.",
      }),
      after: t.arg({ type: 'Position', description: afterDescription }),
    },
    subscribe: (_, { after, ...filter }, ctx) =>
      ctx.subscribeToChanges({ ...filter, accountsOnly: true }, after) as never,
    resolve: (change) => change as never,
  }),
);
