import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

// Builds and runs what a Dockerfile says where there is no Docker: by chroot, in a mount namespace of its own. It knows the instructions
// that the examples have, and refuses others.

/** What comes of a Dockerfile. */
export interface Image {
  /** Its file system. */
  readonly root: string;
  readonly workdir: string;
  readonly env: Readonly<Record<string, string>>;
  readonly user: string;
  readonly command: readonly string[];
}

interface Setting {
  /** The Dockerfile. */
  readonly file: string;
  /** The folder that is built. */
  readonly context: string;
  /** Where the stages' file systems are made. */
  readonly folder: string;
  /** The file system that an image of this name begins with. */
  base(image: string): Promise<string>;
  /** More environment for what is run in the build. */
  readonly env: Readonly<Record<string, string>>;
}

type Stage = { -readonly [key in keyof Image]: Image[key] } & { name: string };

/** Builds the image of the last stage. */
export async function buildImage({ file, context, folder, base, env }: Setting): Promise<Image> {
  const stages: Stage[] = [];
  const stageNamed = (name: string): Stage => {
    const found = stages.find((stage) => stage.name === name);
    if (found === undefined) throw new Error(`${file} has no stage ${name}`);
    return found;
  };
  for (const [instruction, rest] of instructions(readFileSync(file, 'utf8'))) {
    const stage = stages.at(-1)!;
    const words = rest.split(/\s+/);
    switch (instruction) {
      case 'FROM': {
        const root = join(folder, String(stages.length));
        await copyOfImage(await base(words[0]!), root);
        stages.push({ name: words[2] ?? '', root, workdir: '/', env: {}, user: 'root', command: [] });
        break;
      }
      case 'WORKDIR':
        stage.workdir = rest;
        mkdirSync(join(stage.root, rest), { recursive: true });
        break;
      case 'ENV': {
        const [, name = '', value = ''] = /^(\w+)=(.*)$/.exec(rest) ?? [];
        stage.env = { ...stage.env, [name]: value };
        break;
      }
      case 'COPY': {
        const from = /^--from=(.*)$/.exec(words[0]!)?.[1];
        const source = from === undefined ? context : stageNamed(from).root;
        const files = words.slice(from === undefined ? 0 : 1);
        copy(
          files.slice(0, -1).map((name) => join(source, name)),
          join(stage.root, stage.workdir),
          files.at(-1)!,
        );
        break;
      }
      case 'RUN':
        await runIn({ ...stage, env: { ...stage.env, ...env } }, ['sh', '-c', rest]);
        break;
      case 'USER':
        stage.user = rest;
        break;
      case 'CMD':
        stage.command = JSON.parse(rest) as string[];
        break;
      default:
        throw new Error(`${file}: ${instruction} is not known here`);
    }
  }
  return stages.at(-1)!;
}

/** A copy of an image's file system, without the devices: those of this machine are mounted in their place. */
async function copyOfImage(from: string, to: string): Promise<void> {
  const devices = join(from, 'dev');
  await cp(from, to, {
    recursive: true,
    verbatimSymlinks: true,
    preserveTimestamps: true,
    filter: (path) => !path.startsWith(`${devices}/`),
  });
}

function* instructions(text: string): Generator<[string, string]> {
  for (const line of text.split('\n')) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const at = line.indexOf(' ');
    yield [line.slice(0, at), line.slice(at + 1).trim()];
  }
}

/** As Docker does: the content of a folder, and a file under its name, where the target is a folder. */
function copy(sources: string[], workdir: string, target: string): void {
  for (const source of sources) {
    const into = join(workdir, target);
    const isWhole = target.endsWith('/') && !source.endsWith('/');
    const to = isWhole ? join(into, source.split('/').at(-1)!) : into;
    cpSync(source, to, { recursive: true, verbatimSymlinks: true });
  }
}

/**
 * Runs a program in an image, or in a stage of one, to its end. With `readOnly` nothing can be written anywhere, as with `docker run
 * --read-only`.
 */
export async function runIn(
  { root, workdir, env, user }: Pick<Image, 'root' | 'workdir' | 'env' | 'user'>,
  command: readonly string[],
  { readOnly = false, timeout = 15 * 60_000 } = {},
): Promise<{ stdout: string; stderr: string }> {
  const setUp = [
    `mount --bind ${root} ${root}`,
    ...(readOnly ? [`mount -o remount,bind,ro ${root}`] : []),
    `mount --rbind /dev ${root}/dev`,
    `mount --rbind /proc ${root}/proc`,
    `cd ${root}`,
    `exec chroot --userspec=${user}:${user} . /bin/sh -c 'cd ${workdir} && exec "$@"' sh "$@"`,
  ].join(' && ');
  const settings = {
    env: {
      PATH: '/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      HOME: user === 'root' ? '/root' : `/home/${user}`,
      ...env,
    },
    timeout,
    maxBuffer: 64 << 20,
  };
  try {
    return await promisify(execFile)(
      '/usr/bin/unshare',
      ['--mount', 'sh', '-ec', setUp, 'sh', ...command],
      settings,
    );
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new Error(`${command.join(' ')}\n${stdout}\n${stderr}`, { cause: error });
  }
}
