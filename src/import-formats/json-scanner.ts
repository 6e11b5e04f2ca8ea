import type { Boundary, Scan } from './split-rows.ts';

/** Lists in lists beyond this depth are no pages. */
const maxLists = 4;
/** Longer than the name of any list. */
const maxNameLength = 20;

export interface JsonScanner {
  scan: Scan;
  /** Whether a list or page is still open. At the end of the file, this means that the file is incomplete. */
  isOpen(): boolean;
}

/**
 * Returns a scanner for the elements of JSON documents, one after the other: objects, arrays of them, and pages, which
 * are objects with a list under one of `listNames`. It only follows brackets and strings, so an element that is not
 * valid JSON does not hide the next one.
 */
export function jsonScanner(listNames: readonly string[]): JsonScanner {
  const lists: ('array' | 'page')[] = [];
  let depth = 0;
  /** Whether the bytes belong to a page, behind its list. */
  let isRest = false;
  /** Whether the bytes belong to something between elements that is neither an object nor a list. */
  let isStray = false;
  let [inString, isEscaped, afterColon] = [false, false, false];
  let name = '';

  function insideString(character: string): void {
    if (isEscaped) isEscaped = false;
    else if (character === '\\') isEscaped = true;
    else if (character === '"') inString = false;
    else if (depth === 1 && name.length <= maxNameLength) name += character;
  }

  function insideElement(character: string): Boundary['kind'] {
    if (character === '"') [inString, afterColon, name] = [true, false, ''];
    else if (character === ':') afterColon = depth === 1;
    else if (character === '[' && afterColon && listNames.includes(name) && lists.at(-1) !== 'page') {
      lists.push('page');
      [depth, isRest, afterColon] = [0, false, false];
      return 'gap';
    } else if (character === '{' || character === '[') [depth, afterColon] = [depth + 1, false];
    else if (character === '}' || character === ']') depth -= 1;
    if (depth > 0) return 'open';
    const kind = isRest ? 'gap' : 'row';
    isRest = false;
    return kind;
  }

  function betweenElements(character: string): void {
    if (character === '{') depth = 1;
    else if (character === '[' && lists.length < maxLists) lists.push('array');
    else if (character === ']' && lists.length > 0) {
      isRest = lists.pop() === 'page';
      if (isRest) depth = 1;
    } else isStray = !/[\s,]/.test(character);
  }

  function scan(chunk: Buffer, from: number): Boundary {
    for (let at = from; at < chunk.length; at += 1) {
      const character = String.fromCharCode(chunk[at] ?? 0);
      if (inString) insideString(character);
      else if (depth > 0) {
        const kind = insideElement(character);
        if (kind !== 'open') return { at: at + 1, kind };
      } else if (isStray) {
        if (!/[\n,\]]/.test(character)) continue;
        isStray = false;
        return { at, kind: 'row' };
      } else if (at > from && /[^\s,[\]]/.test(character)) return { at, kind: 'gap' };
      else betweenElements(character);
    }
    const isElement = isStray || (depth > 0 && !isRest);
    return { at: chunk.length, kind: isElement ? 'open' : 'gap' };
  }

  return { scan, isOpen: () => lists.length > 0 || depth > 0 };
}
