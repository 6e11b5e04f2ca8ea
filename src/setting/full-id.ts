import { value as ownerIdRule } from '../alias/rules.ts';
import * as rules from './rules.ts';

/** All that names a setting in its tenant. */
export interface FullId {
  namespace: string;
  id: string;
  ownerType: rules.OwnerType;
  ownerId: string;
}

/** In a part of a full id, `~1` stands for a dot, and `~0` for a tilde, as a slash does in a JSON Pointer (RFC 6901). */
function escaped(part: string): string {
  return part.replaceAll('~', '~0').replaceAll('.', '~1');
}

function unescaped(part: string): string {
  return part.replaceAll('~1', '.').replaceAll('~0', '~');
}

/** `setting.<NAMESPACE>.<id>.<ACCOUNT|CUSTOMER>.<owner id>`. */
export function fullIdOf({ namespace, id, ownerType, ownerId }: FullId): string {
  return `setting.${[namespace, id, ownerType, ownerId].map(escaped).join('.')}`;
}

function isOwnerType(word: string | undefined): word is rules.OwnerType {
  return rules.ownerTypes.some((type) => type === word);
}

function isValid({ namespace, id, ownerId }: FullId): boolean {
  return [rules.namespace.safeParse(namespace), rules.id.safeParse(id), ownerIdRule.safeParse(ownerId)].every(
    ({ success }) => success,
  );
}

/**
 * The settings that a full id may mean: one, as `fullIdOf` writes it. When its parts hold plain dots, as of callers that
 * put them together themselves, each way to divide it.
 */
export function readFullId(text: string): FullId[] {
  const [prefix, ...words] = text.split('.');
  if (prefix !== 'setting') return [];
  const read = (from: number, until: number) => unescaped(words.slice(from, until).join('.'));
  return words.flatMap((ownerType, at) => {
    if (!isOwnerType(ownerType)) return [];
    const ownerId = read(at + 1, words.length);
    const cuts = Array.from({ length: Math.max(at - 1, 0) }, (_, index) => index + 1);
    const meant = cuts.map((cut) => ({ namespace: read(0, cut), id: read(cut, at), ownerType, ownerId }));
    return meant.filter(isValid);
  });
}
