import { execFileSync } from 'node:child_process';
import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { ownService, root, type Service } from './services.ts';

const run = (command: string, args: string[], cwd = root): string =>
  execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }).trim();

function hasSameDependencies(commit: string): boolean {
  const changed = run('git', ['diff', '--name-only', commit, '--', 'package-lock.json']);
  return changed === '';
}

export interface Checkout {
  service: Service;
  remove(): void;
}

/** Checks another commit out into a directory and builds it. */
export async function buildCommit(revision: string, directory: string): Promise<Checkout> {
  const commit = run('git', ['rev-parse', '--short', '--verify', `${revision}^{commit}`]);
  const checkout = join(directory, commit);
  run('git', ['worktree', 'add', '--detach', '--quiet', checkout, commit]);
  const remove = () => {
    run('git', ['worktree', 'remove', '--force', checkout]);
  };
  try {
    console.error(`Building ${commit}.`);
    if (hasSameDependencies(commit))
      await symlink(join(root, 'node_modules'), join(checkout, 'node_modules'));
    else run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], checkout);
    // Not `npm run build`: it links the command of node_modules, which may be shared, to this build.
    run('node', ['.bundle.js', 'dist'], checkout);
    return { service: await ownService(checkout, 'other', commit), remove };
  } catch (error) {
    remove();
    throw error;
  }
}
