import { buildSchema, printSchema } from '../schema.ts';

/** `accountgraph schema`: prints the schema as SDL. */
export function schemaCommand(): void {
  process.stdout.write(printSchema(buildSchema()));
}
