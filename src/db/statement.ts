import type { Orm } from './client.ts';

interface Preparable<Answer> {
  prepare(name: string): { execute(values?: Record<string, unknown>): Promise<Answer> };
}

/**
 * A statement whose text never changes: prepared once per connection, its values come as named placeholders.
 * The name stands for the text: two statements of one name must be the same.
 */
export interface Statement<Answer> {
  name: string;
  build(orm: Orm): Preparable<Answer>;
}

export function statement<Answer>(name: string, build: (orm: Orm) => Preparable<Answer>): Statement<Answer> {
  return { name, build };
}
