/** The most letters of a name that can be compared. Longer ones are no misspelling. */
const maxLength = 100;

const letters = (name: string) => name.toLowerCase().replaceAll(/[\s_-]/g, '');

/** Returns how many letters must be inserted, deleted or replaced to turn one text into the other. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let at = 1; at <= a.length; at += 1) {
    const next = [at];
    for (let to = 1; to <= b.length; to += 1) {
      const replaced = (row[to - 1] ?? 0) + (a[at - 1] === b[to - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[to] ?? 0) + 1, (next[to - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/** Returns the name that a misspelt word is most like. Undefined if none is similar. */
export function nearestName(word: string, names: Iterable<string>): string | undefined {
  if (word.length > maxLength) return undefined;
  let nearest: { name: string; edits: number } | undefined;
  for (const name of names) {
    const edits = distance(letters(word), letters(name));
    if (edits <= Math.max(1, name.length / 3) && edits < (nearest?.edits ?? Number.POSITIVE_INFINITY))
      nearest = { name, edits };
  }
  return nearest?.name;
}

/** Returns a question that names the nearest name, after a space. Empty if no name is similar. */
export function suggestion(word: string, names: Iterable<string>): string {
  const nearest = nearestName(word, names);
  return nearest === undefined ? '' : ` Did you mean \`${nearest}\`?`;
}
