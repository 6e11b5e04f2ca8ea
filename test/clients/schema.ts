import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildSchema, isAbstractType, isObjectType } from 'graphql';

const sdl = readFileSync(join(import.meta.dirname, '..', '..', 'src', 'schema.graphql'), 'utf8');

// Assumed valid, because graphql does not know the federation directives.
export const schema = buildSchema(sdl, { assumeValidSDL: true });

const types = Object.values(schema.getTypeMap()).filter(({ name }) => !name.startsWith('__'));

export const objectTypes = types.filter(isObjectType);

export const possibleTypes = Object.fromEntries(
  types
    .filter(isAbstractType)
    .map((type) => [type.name, schema.getPossibleTypes(type).map(({ name }) => name)]),
);
