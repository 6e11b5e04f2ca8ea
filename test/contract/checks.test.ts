import { describe, expect, it } from 'vitest';
import { currentContract } from './check.ts';
import { breaksOf, type Contract, problemsOf } from './checks.ts';

const contract = currentContract();

/** Returns the contract after a change of the code and the printed schema. */
function changed(from: string | RegExp, to: string, more: Partial<Contract> = {}): Contract {
  const printed = contract.printed.replace(from, to);
  expect(printed).not.toBe(contract.printed);
  return { ...contract, printed, committed: printed, ...more };
}

const beginnings = (problems: string[]) => problems.map((problem) => /^.*?[:.](?= |$)/.exec(problem)?.[0]);
const type = (name: string, body: string) => `"""A thing."""\ntype ${name} {${body}}\n`;

it('accepts the current contract', () => {
  expect(problemsOf(contract)).toEqual([]);
});

it('fails if the code and the committed schema differ', () => {
  const committed = contract.committed.replace('An account is billed.', 'An account is paid.');
  expect(problemsOf({ ...contract, committed })).toEqual([expect.stringContaining('npm run schema:print')]);
});

describe('a change that breaks the clients of the last release', () => {
  it.each([
    [
      'a field',
      /\n {2}"""[^"]*"""\n {2}invoiceCurrency: String!/,
      '',
      'Account.invoiceCurrency was removed.',
    ],
    [
      'an argument',
      /accountByAlias\([^)]*?"""\n {4}alias: String!/,
      'accountByAlias(\n"""A name."""\nname: String!',
      'Query.accountByAlias arg alias was removed.',
    ],
    ['a value', /\n {2}"""[^"]*"""\n {2}DRAFT\n/, '\n', 'DRAFT was removed from enum type AccountStatus.'],
    [
      'a member of a union',
      ' | VersionConflictError',
      '',
      /^VersionConflictError was removed from union type/,
    ],
    [
      'the certainty of a value',
      '  invoiceCurrency: String!',
      '  invoiceCurrency: String',
      'Account.invoiceCurrency changed type from String! to String.',
    ],
    [
      'a key of an entity',
      'Account implements Node @key(fields: "id")',
      'Account implements Node',
      'Account @key(fields: "id") was removed.',
    ],
  ])('fails without %s', (_, from, to, description) => {
    const broken = changed(from, to);
    const [first = ''] = breaksOf(broken);
    if (typeof description === 'string') expect(first).toBe(description);
    else expect(first).toMatch(description);
    expect(problemsOf(broken)).toContainEqual(
      expect.stringMatching(`^This breaks clients: ${first.replace(/[()]/g, '.')}`),
    );
  });

  it('fails for a new required input', () => {
    const broken = changed(/input UpdateAccountInput \{/, '$&\n"""A new one."""\nzone: String!\n');
    expect(beginnings(problemsOf(broken))).toEqual(['This breaks clients:']);
  });

  const removal = /\n {2}"""[^"]*"""\n {2}invoiceCurrency: String!/;

  it('passes if the release had deprecated the removed part with a reason', () => {
    const reason = '  invoiceCurrency: String! @deprecated(reason: "Read `currency`.")';
    const released = contract.released.replace('  invoiceCurrency: String!', reason);
    expect(problemsOf(changed(removal, '', { released }))).toEqual([]);
  });

  it('passes if it is listed in meant.json, and fails for an outdated entry', () => {
    const meant = { 'Account.invoiceCurrency was removed.': 'It was never right.' };
    expect(problemsOf(changed(removal, '', { meant }))).toEqual([]);
    expect(problemsOf({ ...contract, meant })).toEqual([
      expect.stringMatching(/^test\/contract\/meant\.json/),
    ]);
  });
});

it('passes for additions', () => {
  const added = changed(
    /type Account implements Node [^{]*\{/,
    '$&\n"""A new one."""\nzone(\n"""How."""\nas: String): Zone\n',
  );
  const printed = `${added.printed}${type('Zone', ' """Its name.""" name: String! ')}`;
  expect(problemsOf({ ...added, printed, committed: printed })).toEqual([]);
});

it('fails for a missing description', () => {
  const added =
    'type Zone { name(as: String): String! } enum Side { LEFT } input Where { at: Int } scalar Sphere union Any = Zone';
  const printed = `${contract.printed}${added}`;
  const places = [
    'Zone',
    'Zone.name',
    'Zone.name.as',
    'Side',
    'Side.LEFT',
    'Where',
    'Where.at',
    'Sphere',
    'Any',
  ];
  expect(problemsOf({ ...contract, printed, committed: printed })).toEqual(
    places.map((place) => `${place} has no description.`),
  );
});

it('fails for a deprecation without a reason', () => {
  const deprecated = changed('  invoiceCurrency: String!', '  invoiceCurrency: String! @deprecated');
  expect(problemsOf(deprecated)).toEqual(['Account.invoiceCurrency is deprecated without a reason.']);
});

describe('a schema that does not compose', () => {
  it.each([
    ['a key of fields that are not there', '@key(fields: "id")', '@key(fields: "identity")'],
    ['a shared type that is not shareable', 'type PageInfo @shareable', 'type PageInfo'],
    ['a directive that is not imported', '"@shareable", ', ''],
  ])('%s', (_, from, to) => {
    expect(beginnings(problemsOf(changed(from, to)))).toContain('It does not compose:');
  });
});
