import graphql from '@graphql-eslint/eslint-plugin';

const { 'flat/schema-recommended': recommended, 'flat/schema-relay': relay } = graphql.configs;

/** What ESLint makes of src/schema.graphql: all recommended rules and those of Relay. What is otherwise says why. */
export default [
  {
    files: ['**/*.graphql'],
    plugins: { '@graphql-eslint': graphql },
    languageOptions: {
      parser: graphql.parser,
      parserOptions: { graphQLConfig: { schema: 'src/schema.graphql' } },
    },
    rules: {
      ...recommended.rules,
      ...relay.rules,
      '@graphql-eslint/require-description': [
        'error',
        {
          types: true,
          DirectiveDefinition: true,
          EnumValueDefinition: true,
          FieldDefinition: true,
          InputValueDefinition: true,
        },
      ],
      '@graphql-eslint/strict-id-in-types': [
        'error',
        {
          exceptions: {
            // What a request answers with has no identity of its own.
            suffixes: ['Connection', 'Edge', 'Success', 'Error', 'Issue'],
            // Values, and what a token stands for. The id of a reference is its alias, and an instant.
            types: [
              'Address',
              'Alias',
              'AliasClash',
              'BillingInformation',
              'FieldChange',
              'AccountReference',
              'PageInfo',
              'Tenant',
              // Named by its version.
              'TenantChange',
              'Viewer',
              'WebhookBacklog',
              // Named by its node id only: nobody chooses its id.
              'WebhookEndpoint',
            ],
          },
        },
      ],
      // The feed is read forward only.
      '@graphql-eslint/relay-arguments': ['error', { includeBoth: false }],
      '@graphql-eslint/relay-edge-types': [
        'error',
        {
          withEdgeSuffix: true,
          // Aliases and changes belong to their account and are not fetched without it, so they have no node id.
          shouldImplementNode: false,
          // Tags, recipients and aliases in force are bounded lists, and connections show `nodes` without cursors.
          listTypeCanWrapOnlyEdgeType: false,
        },
      ],
      // Relay's id field is `Node.nodeId`: `id` is the one that the caller chose.
      '@graphql-eslint/no-typename-prefix': 'off',
    },
  },
];
