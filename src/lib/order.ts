/** The order of text in a column with collation "C": by bytes. */
function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** As `Account.aliases` lists them: in the order in which they were recorded, then by value. */
export function inAliasOrder<T extends { createdAt: Date; value: string }>(aliases: T[]): T[] {
  return aliases.toSorted(
    (a, b) => a.createdAt.getTime() - b.createdAt.getTime() || byBytes(a.value, b.value),
  );
}

/** As `settings` lists them: in the order of their namespaces and ids. */
export function inSettingOrder<T extends { namespace: string; id: string }>(settings: T[]): T[] {
  return settings.toSorted((a, b) => byBytes(a.namespace, b.namespace) || byBytes(a.id, b.id));
}
