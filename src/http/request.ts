import { newUuid } from '../lib/id.ts';

/** The longest body that any way in reads. */
export const maxBodyBytes = 1_000_000;

/** How much a body may hold of what costs more than its bytes. */
const most = { values: 50_000, members: 1_000, levels: 50 };
/** A body of so many characters is small, whatever it holds. */
const smallBody = 10_000;

function endOfString(json: string, start: number): number {
  for (let at = json.indexOf('"', start + 1); at !== -1; at = json.indexOf('"', at + 1)) {
    let slash = at - 1;
    while (json[slash] === '\\') slash -= 1;
    if ((at - slash) % 2 === 1) return at;
  }
  return json.length;
}

/** What a JSON text holds too much of, as a sentence. Of a text that is not JSON, it may say anything. */
export function excessIn(json: string): string | undefined {
  if (json.length <= smallBody) return undefined;
  const members: number[] = [];
  let values = 0;
  for (let at = 0; at < json.length; at += 1) {
    const character = json[at];
    if (character === '"') at = endOfString(json, at);
    else if (character === '{' || character === '[') members.push(0);
    else if (character === '}' || character === ']') members.pop();
    else if (character === ':') members.push((members.pop() ?? 0) + 1);
    if (character === '{' || character === '[' || character === ',') values += 1;
    if (values > most.values) return `The body must not hold more than ${most.values} values.`;
    if (members.length > most.levels) return `The body must not be nested deeper than ${most.levels} levels.`;
    if ((members.at(-1) ?? 0) > most.members)
      return `No object in the body may have more than ${most.members} members.`;
  }
  return undefined;
}

/** The id that a client gave its request in `X-Request-Id`, or a new one. */
export function requestIdFrom(given: string | null | undefined): string {
  return given != null && /^[\w.:-]{1,100}$/.test(given) ? given : newUuid();
}
