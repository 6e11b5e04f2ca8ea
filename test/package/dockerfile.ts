import { execFile } from 'node:child_process';
import { cp, mkdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';

interface Instruction {
  name: string;
  text: string;
}

/** A stage of a Dockerfile. Its file system is the directory `root`. */
export interface Stage {
  /** The image that FROM names. */
  base: string;
  root: string;
  workdir: string;
  env: Record<string, string>;
  user: string;
  ports: string[];
  /** The paths that it copies from the checkout. */
  copied: string[];
  healthcheck: string[];
  entrypoint: string[];
  command: string[];
}

interface Build {
  /** The checkout. */
  context: string;
  directory: string;
  stages: Map<string, Stage>;
  /** Variables of the commands that RUN names. */
  env: Record<string, string>;
}

/** Splits a Dockerfile into instructions without their comments. */
export function parseDockerfile(text: string): Instruction[] {
  const lines = text
    .replaceAll(/^[ \t]*#.*\n/gm, '')
    .replaceAll(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '');
  return lines.map((line) => {
    const [, name, rest] = /^([A-Z]+)[ \t]+(.+)$/.exec(line) ?? [];
    if (name === undefined || rest === undefined) throw new Error(`This is no instruction: ${line}`);
    return { name, text: rest };
  });
}

/** Returns where a path of a stage is on this machine. */
export function pathIn({ root, workdir }: Stage, path: string): string {
  return path.startsWith('/') ? join(root, path) : join(root, workdir, path);
}

/** Parses the exec form. The shell form would put a shell between Docker and the program. */
function execForm(text: string): string[] {
  const list: unknown = JSON.parse(text);
  if (!Array.isArray(list)) throw new Error(`This is not the exec form: ${text}`);
  return list.map(String);
}

async function copy(stage: Stage, text: string, { context, stages }: Build): Promise<void> {
  const [, from, rest = ''] = /^(?:--from=(\S+) )?(.+)$/.exec(text) ?? [];
  const paths = rest.split(' ');
  const target = paths.pop() ?? '';
  const source = from === undefined ? undefined : stages.get(from);
  if (from !== undefined && source === undefined) throw new Error(`There is no stage ${from}.`);
  if (source === undefined) stage.copied.push(...paths);
  for (const path of paths) {
    const found = source === undefined ? join(context, path) : pathIn(source, path);
    // COPY copies the contents of a directory, but a file keeps its name.
    const name = (await stat(found)).isDirectory() || !target.endsWith('/') ? '' : basename(path);
    await cp(found, join(pathIn(stage, target), name), { recursive: true, verbatimSymlinks: true });
  }
}

async function run(stage: Stage, text: string, { env }: Build): Promise<void> {
  const cwd = pathIn(stage, '.');
  await promisify(execFile)('sh', ['-c', text], { cwd, env: { ...env, ...stage.env }, maxBuffer: 1e8 });
}

type Step = (stage: Stage, text: string, build: Build) => void | Promise<void>;

/** What each instruction does. Another one, or another form of one, fails the build. */
const steps: Record<string, Step> = {
  WORKDIR: async (stage, text) => {
    stage.workdir = text;
    await mkdir(pathIn(stage, '.'), { recursive: true });
  },
  COPY: copy,
  RUN: run,
  ENV: (stage, text) => {
    for (const pair of text.split(' ')) {
      const [, name = '', value = ''] = /^(\w+)=(\S*)$/.exec(pair) ?? [];
      if (name === '') throw new Error(`This is no variable: ${pair}`);
      stage.env[name] = value;
    }
  },
  USER: (stage, text) => {
    stage.user = text;
  },
  EXPOSE: (stage, text) => {
    stage.ports.push(...text.split(' '));
  },
  STOPSIGNAL: (_stage, text) => {
    if (text !== 'SIGTERM') throw new Error(`The service does not stop properly on ${text}.`);
  },
  HEALTHCHECK: (stage, text) => {
    stage.healthcheck = execForm(text.replace(/^(--[a-z-]+=\w+ )*CMD /, ''));
  },
  ENTRYPOINT: (stage, text) => {
    stage.entrypoint = execForm(text);
  },
  CMD: (stage, text) => {
    stage.command = execForm(text);
  },
};

async function openStage(text: string, { directory, stages }: Build): Promise<Stage> {
  const [, base, name = String(stages.size)] = /^(\S+)(?: AS (\w+))?$/.exec(text) ?? [];
  if (base === undefined) throw new Error(`FROM has another form: ${text}`);
  const root = join(directory, name);
  await mkdir(root);
  const lists = { ports: [], copied: [], healthcheck: [], entrypoint: [], command: [] };
  const stage = { base, root, workdir: '/', env: {}, user: 'root', ...lists };
  stages.set(name, stage);
  return stage;
}

/**
 * Runs the steps of the checkout's Dockerfile on this machine, each stage in a folder of the directory. The base images
 * are missing: their programs are those of this machine. Returns the stages in order; the last one is the image.
 */
export async function runDockerfile(
  context: string,
  directory: string,
  env: Record<string, string>,
): Promise<Stage[]> {
  const build: Build = { context, directory, stages: new Map(), env };
  let stage: Stage | undefined;
  for (const { name, text } of parseDockerfile(await readFile(join(context, 'Dockerfile'), 'utf8'))) {
    const step = steps[name];
    if (name === 'FROM') stage = await openStage(text, build);
    else if (stage === undefined || step === undefined) throw new Error(`Unexpected instruction ${name}`);
    else await step(stage, text, build);
  }
  return [...build.stages.values()];
}
