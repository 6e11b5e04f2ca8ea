import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  export interface ProvidedContext {
    /** A directory with the compiled service, as in a checkout after `npm ci`. */
    checkout: string;
  }
}

const root = join(import.meta.dirname, '..', '..');

/** Bundles the service once per test run outside `dist`, which may be in use. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  // Below node_modules, so that packages resolve from there.
  const cache = join(root, 'node_modules', '.cache');
  await mkdir(cache, { recursive: true });
  const checkout = await mkdtemp(join(cache, 'accountgraph-test-'));
  await promisify(execFile)(process.execPath, ['.bundle.js', join(checkout, 'dist')], { cwd: root });
  await mkdir(join(checkout, 'node_modules', '.bin'), { recursive: true });
  await symlink('../../dist/main.js', join(checkout, 'node_modules', '.bin', 'accountgraph'));
  await cp(join(root, 'package.json'), join(checkout, 'package.json'));
  await symlink(join(root, 'migrations'), join(checkout, 'migrations'));
  project.provide('checkout', checkout);
  return () => rm(checkout, { recursive: true, force: true });
}
