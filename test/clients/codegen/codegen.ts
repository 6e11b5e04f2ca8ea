import type { CodegenConfig } from '@graphql-codegen/cli';

const config: CodegenConfig = {
  schema: '../../../src/schema.graphql',
  documents: 'accounts.ts',
  generates: { '__generated__/': { preset: 'client' } },
  config: {
    useTypeImports: true,
    strictScalars: true,
    scalars: {
      ID: 'string',
      DateTime: 'string',
      Position: 'string',
      JSON: 'unknown',
      JSONObject: 'Record<string, unknown>',
    },
  },
};

export default config;
