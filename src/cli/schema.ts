import { buildSchema, printSchema } from '../schema.ts';

/** `accountgraph schema`: prints the schema in GraphQL's own language. */
export function schemaCommand(): void {
  process.stdout.write(printSchema(buildSchema()));
}
