/** Compares text by bytes, like a column with collation "C". */
function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** Sorts like `Account.aliases`: by creation, then by value. */
export function inAliasOrder<T extends { createdAt: Date; value: string }>(aliases: T[]): T[] {
  return aliases.toSorted(
    (a, b) => a.createdAt.getTime() - b.createdAt.getTime() || byBytes(a.value, b.value),
  );
}

/** Sorts like `settings`: by namespace, then by id. */
export function inSettingOrder<T extends { namespace: string; id: string }>(settings: T[]): T[] {
  return settings.toSorted((a, b) => byBytes(a.namespace, b.namespace) || byBytes(a.id, b.id));
}
