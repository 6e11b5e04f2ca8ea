import type { Issue, IssueCode } from './errors.ts';
import type { z } from './zod.ts';

type RawIssue = z.core.$ZodIssue;

const tooBig: Record<string, { code: IssueCode; unit: string }> = {
  string: { code: 'TOO_LONG', unit: 'character' },
  array: { code: 'TOO_MANY', unit: 'element' },
  set: { code: 'TOO_MANY', unit: 'element' },
};
const tooSmall: Record<string, { code: IssueCode; unit: string }> = {
  string: { code: 'TOO_SHORT', unit: 'character' },
  array: { code: 'TOO_FEW', unit: 'element' },
  set: { code: 'TOO_FEW', unit: 'element' },
};

/** Returns, for example, `1 element` or `2 elements`. */
export function countOf(count: number | bigint, unit: string): string {
  return `${count} ${unit}${Number(count) === 1 ? '' : 's'}`;
}

/** Returns, for example, `must be at most 365` or `must have at least 1 element`. */
function limitMessage(limit: string, count: number | bigint, unit: string): string {
  if (unit === '') return `must be ${limit} ${count}`;
  return `must have ${limit} ${countOf(count, unit)}`;
}

function describeIssue(issue: RawIssue): { code: IssueCode; message: string } {
  switch (issue.code) {
    case 'custom':
      return {
        code: (issue.params?.code as IssueCode | undefined) ?? 'INVALID_VALUE',
        message: issue.message,
      };
    case 'too_big': {
      const { code, unit } = tooBig[issue.origin] ?? { code: 'TOO_LARGE', unit: '' };
      return { code, message: limitMessage('at most', issue.maximum, unit) };
    }
    case 'too_small': {
      const { code, unit } = tooSmall[issue.origin] ?? { code: 'TOO_SMALL', unit: '' };
      return { code, message: limitMessage('at least', issue.minimum, unit) };
    }
    case 'invalid_type':
      // zod's issues omit the input. Only the message distinguishes a missing value from a wrong type.
      return issue.message.endsWith('received undefined')
        ? { code: 'REQUIRED', message: 'is required' }
        : { code: 'INVALID_TYPE', message: `must be a value of type ${issue.expected}` };
    case 'invalid_value':
      return { code: 'INVALID_VALUE', message: `must be one of ${issue.values.map(String).join(', ')}` };
    case 'invalid_format':
      return { code: 'INVALID_FORMAT', message: `must be a valid ${issue.format}` };
    case 'unrecognized_keys':
      return { code: 'UNKNOWN_FIELD', message: `has unknown fields: ${issue.keys.join(', ')}` };
    default:
      return { code: 'INVALID_VALUE', message: 'is not valid' };
  }
}

/** Converts a zod error to issues. Each message continues a sentence that starts with the field's name. */
export function issuesOf(error: z.ZodError): Issue[] {
  return error.issues.map((issue) => ({ path: issue.path.map(String), ...describeIssue(issue) }));
}

/** Lists the first few names, such as `"a", "b" and 3 more`. */
export function listFirst(names: string[], total: number, show = 10): string {
  const shown = names.slice(0, show).map((name) => JSON.stringify(name));
  return total > shown.length ? `${shown.join(', ')} and ${total - shown.length} more` : shown.join(', ');
}
