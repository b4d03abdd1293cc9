import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { postgresBinaries, redisServer } from '../../scripts/lib/servers.mjs';
import { until } from '../harness/wait';

/** How long a server may take to start: PostgreSQL initialises a cluster first, on a machine that does much else. */
const STARTING = 120_000;

/** A server of the system, on a socket and with data of its own. */
export interface StoreServer {
  /** Its socket; for PostgreSQL the folder of it, which its clients want. */
  readonly path: string;
  /** Starts it, unless it runs. */
  start(): Promise<void>;
  /** Ends it at once, as a machine that fails does. What is connected is cut off. */
  kill(): Promise<void>;
  /** Ends it for good. */
  dispose(): Promise<void>;
}

const answers = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(path);
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });

class System implements StoreServer {
  readonly path: string;
  readonly #folder: string;
  readonly #socket: string;
  readonly #spawn: () => ChildProcess;
  #child: ChildProcess | undefined;

  constructor(folder: string, path: string, socket: string, start: () => ChildProcess) {
    this.#folder = folder;
    this.path = path;
    this.#socket = socket;
    this.#spawn = start;
  }

  async start(): Promise<void> {
    if (this.#child !== undefined) return;
    const child = this.#spawn();
    this.#child = child;
    await until(
      'a server listens',
      async () => {
        if (child.exitCode !== null) throw new Error(`${child.spawnargs.join(' ')} ended: ${child.exitCode}`);
        return answers(this.#socket);
      },
      STARTING,
    );
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    // PostgreSQL's own processes go with it at SIGQUIT, which is what it has for a crash.
    child.kill('SIGQUIT');
    const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
    await exit;
    clearTimeout(timer);
  }

  async dispose(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Redis, which remembers nothing over a stop. */
export function redis(): StoreServer {
  const folder = mkdtempSync(join(tmpdir(), 'redis-'));
  const socket = join(folder, 'socket');
  const memory = ['--save', '', '--appendonly', 'no', '--dir', folder];
  const args = ['--port', '0', '--unixsocket', socket, ...memory];
  return new System(folder, socket, socket, () =>
    spawn(redisServer() as string, args, { stdio: 'ignore', cwd: folder }),
  );
}

/** The user `tests` of a PostgreSQL. It does not run as root, but as the user that its package makes. */
export function postgres(): StoreServer {
  const folder = mkdtempSync(join(tmpdir(), 'postgres-'));
  const bin = postgresBinaries() as string;
  const { uid, gid } = userInfo();
  const owner = uid === 0 ? idOf('postgres') : { uid, gid };
  chownSync(folder, owner.uid, owner.gid);
  if (uid === 0) openNull();
  const options = { ...owner, stdio: 'ignore' as const, cwd: folder };
  const data = join(folder, 'data');
  const cluster = ['-D', data, '-U', 'tests', '-A', 'trust', '--no-sync', '-E', 'UTF8', '--locale=C'];
  execFileSync(join(bin, 'initdb'), cluster, options);
  const settings = ['listen_addresses=', `unix_socket_directories=${folder}`, 'fsync=off'];
  const args = ['-D', data, ...settings.flatMap((setting) => ['-c', setting])];
  return new System(folder, folder, join(folder, '.s.PGSQL.5432'), () =>
    spawn(join(bin, 'postgres'), args, options),
  );
}

/** initdb's own shell commands write to /dev/null, which some containers open to root alone. */
function openNull(): void {
  if ((statSync('/dev/null').mode & 0o002) === 0) chmodSync('/dev/null', 0o666);
}

function idOf(user: string): { uid: number; gid: number } {
  const id = (what: string): number => Number(execFileSync('id', [what, user]).toString());
  return { uid: id('-u'), gid: id('-g') };
}
