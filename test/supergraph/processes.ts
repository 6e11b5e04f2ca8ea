import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

export interface Program {
  child: ChildProcess;
  /** The output on standard output and standard error. */
  output(): string;
  /** Sends SIGTERM and waits for the exit. */
  stop(): Promise<void>;
}

interface Launch {
  command: string;
  args: string[];
  cwd: string;
  env?: NodeJS.ProcessEnv;
}

/** Starts a program and waits until `isReady`. Throws an error with the output if it ends before that. */
export async function launch(what: Launch, isReady: (output: string) => boolean | Promise<boolean>) {
  const { command, args, cwd, env } = what;
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const closed = once(child, 'close');
  const program: Program = {
    child,
    output: () => output,
    async stop() {
      child.kill('SIGTERM');
      await closed;
    },
  };
  while (!(await isReady(output))) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`${command} ended: ${output}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return program;
}
