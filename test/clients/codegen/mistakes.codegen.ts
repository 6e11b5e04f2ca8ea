import type { CodegenConfig } from '@graphql-codegen/cli';

const config: CodegenConfig = {
  schema: '../../../src/schema.graphql',
  documents: 'mistakes.graphql',
  generates: { '__generated__/mistakes/': { preset: 'client' } },
};

export default config;
