import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { templateName } from '../support/global-setup.ts';
import { usePostgres } from './postgres.ts';
import { sentenceOf, usePrograms } from './program.ts';

const programs = usePrograms();
const server = usePostgres();
const patience = { timeout: 60_000 };

describe.concurrent('the error of a start or a command', patience, () => {
  it('names every invalid variable', async () => {
    const env = { PORT: 'abc', MIGRATE: 'yes', DATABASE_URL: 'nowhere', DATA_DIR: programs.path('unused') };
    expect(sentenceOf(await programs.run([], env))).toBe(
      'PORT must be a whole number from 0 to 65535. ' +
        'DATABASE_URL must be a URL such as postgres://user:password@host:5432/database. ' +
        'MIGRATE must be true or false.',
    );
  });

  it('names a TRUSTED_DOCUMENTS that is not a manifest', async () => {
    await writeFile(programs.path('list.json'), '[]');
    const env = { TRUSTED_DOCUMENTS: programs.path('list.json'), DATA_DIR: programs.path('unused') };
    expect(sentenceOf(await programs.run([], env))).toMatch(
      /^TRUSTED_DOCUMENTS names .*list\.json, which is neither a JSON object of documents by id nor/,
    );
  });

  it('names an unreachable DATABASE_URL without its password', async () => {
    const env = { DATABASE_URL: 'postgres://me:secret@127.0.0.1:1/accounts' };
    expect(sentenceOf(await programs.run([], env), 3)).toBe(
      'The database accounts at 127.0.0.1:1 (DATABASE_URL) cannot be used: connect ECONNREFUSED 127.0.0.1:1. Start the database, or correct DATABASE_URL.',
    );
  });

  it('names a database that does not exist', async () => {
    const sentence = sentenceOf(await programs.run(['migrate'], { DATABASE_URL: server.urlOf('nothing') }));
    expect(sentence).toMatch(
      /^The database nothing at .* cannot be used: database "nothing" does not exist\. Create the database, or /,
    );
  });

  it('names a data directory that cannot be created', async () => {
    await writeFile(programs.path('file'), '');
    const sentence = sentenceOf(await programs.run(['migrate'], { DATA_DIR: programs.path('file/data') }));
    expect(sentence).toMatch(/^The data directory .*file\/data cannot be used \(not a directory\)/);
  });

  it('names an open data directory with other files', async () => {
    const DATA_DIR = programs.path('shared');
    await mkdir(DATA_DIR, { mode: 0o755 });
    await writeFile(programs.path('shared/other.txt'), '');
    expect(sentenceOf(await programs.run(['migrate'], { DATA_DIR }))).toBe(
      `Other users can access the data directory ${DATA_DIR} (mode 0755), which belongs to another user or has other files. Close it with "chmod 700 ${DATA_DIR}", or point DATA_DIR at a directory used only by the service.`,
    );
  });

  it.runIf(process.platform === 'linux')('names a data directory on a read-only file system', async () => {
    const sentence = sentenceOf(await programs.run(['migrate'], { DATA_DIR: '/proc/accountgraph' }));
    expect(sentence).toMatch(/^The data directory \/proc\/accountgraph cannot be used/);
  });

  // root may write everywhere.
  if (process.getuid?.() !== 0) {
    it('names a data directory that the user may not write to', async () => {
      await mkdir(programs.path('closed'), { mode: 0o500 });
      const sentence = sentenceOf(await programs.run(['migrate'], { DATA_DIR: programs.path('closed') }));
      expect(sentence).toContain('cannot be used (permission denied)');
    });
  }
});

describe.concurrent('the error of a start that cannot listen', patience, () => {
  const busy = createServer();
  let port = '';
  let DATABASE_URL = '';
  beforeAll(async () => {
    DATABASE_URL = await server.create(templateName);
    await new Promise<void>((resolve) => busy.listen(0, '127.0.0.1', resolve));
    const address = busy.address();
    port = String(typeof address === 'object' && address?.port);
  });
  afterAll(() => busy.close());

  it('names a port in use', async () => {
    expect(sentenceOf(await programs.run([], { DATABASE_URL, PORT: port }))).toBe(
      `Port ${port} on 127.0.0.1 is already in use. Stop the other program, or set PORT to another port.`,
    );
  });

  it('names an address that the machine does not have', async () => {
    expect(sentenceOf(await programs.run([], { DATABASE_URL, HOST: '203.0.113.1' }))).toBe(
      'This machine has no address 203.0.113.1. Set HOST to another address.',
    );
  });
});
