/** The processes of a run: started, killed, stopped, restarted and asked to end, each behind proxies of its own. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as later } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Proxies } from './proxy.mjs';
import { hash, Random } from './random.mjs';

/** A process that was asked to end has left within so long, handlers and commits included. */
const LEAVE_MS = 60_000;
/** Many start at once, on a machine that has other things to do. */
const READY_MS = 180_000;

/** An addon of another build, and what has to be loaded before it (scripts/sanitize.mjs). */
const { TESTED_ADDON, TESTED_PRELOAD } = process.env;
const TESTED = {
  ...(TESTED_ADDON && { NAPI_RS_NATIVE_LIBRARY_PATH: TESTED_ADDON }),
  ...(TESTED_PRELOAD && { LD_PRELOAD: TESTED_PRELOAD }),
};

export class Member {
  #child;
  #recorder;
  #isAsked = false;
  #isKilled = false;
  description;
  proxies;
  /** Resolves when it works. */
  ready;
  /** Resolves when it has ended. */
  ended;

  /** Starts a process. */
  static async start(description, { brokers, folder, seed, recorder }) {
    const proxies = await Proxies.before(brokers, new Random(hash(`${seed} ${description.name} network`)));
    return new Member(description, { proxies, folder, seed, recorder });
  }

  constructor(description, { proxies, folder, seed, recorder }) {
    this.description = description;
    this.proxies = proxies;
    this.#recorder = recorder;
    const { role, name, stock, group } = description;
    const settings = { ...description, folder, seed, brokers: proxies.addresses };
    const program = fileURLToPath(new URL(`processes/${role}.mjs`, import.meta.url));
    recorder.note('start', { target: name, role, group, stock });
    const log = openSync(join(folder, `${name}.log`), 'a');
    this.#child = fork(program, [JSON.stringify(settings)], {
      execArgv: ['--expose-gc'],
      stdio: ['ignore', log, log, 'ipc'],
      env: { ...process.env, ...TESTED, KAFKAJS_NO_PARTITIONER_WARNING: '1', NO_COLOR: '1' },
    });
    closeSync(log);
    this.ended = new Promise((resolve) => {
      this.#child.once('exit', (code, signal) => resolve({ code, signal }));
    });
    this.ready = this.#becomesReady();
    // Whoever waits for it hears of it.
    this.ready.catch(() => undefined);
    void this.ended.then(({ code, signal }) => this.#exited(code, signal));
  }

  get name() {
    return this.description.name;
  }

  get isRunning() {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Sends a signal, as an operator or the system would. */
  signal(signal) {
    this.#child.kill(signal);
  }

  async kill() {
    this.#isKilled = true;
    this.#child.kill('SIGKILL');
    await this.ended;
  }

  /** Asks it to end and waits until it has. */
  async leave() {
    if (!this.isRunning) return;
    this.#isAsked = true;
    if (this.#child.connected) this.#child.send('end');
    const timer = setTimeout(() => {
      this.#recorder.note('exit', { process: this.name, how: 'hung', code: null });
      void this.kill();
    }, LEAVE_MS);
    await this.ended;
    clearTimeout(timer);
  }

  async #becomesReady() {
    const given = new AbortController();
    const { signal } = given;
    try {
      await Promise.race([
        once(this.#child, 'message', { signal }),
        this.#endsEarly(),
        later(READY_MS, undefined, { signal }).then(() => {
          throw new Error(`${this.name} did not work within ${READY_MS / 1000} s`);
        }),
      ]);
    } finally {
      given.abort();
    }
  }

  async #endsEarly() {
    await this.ended;
    throw new Error(`${this.name} ended before it worked`);
  }

  #exited(code, signal) {
    void this.proxies.close();
    let how = 'crashed';
    if (this.#isKilled) how = 'killed';
    else if (code === 0 && this.#isAsked) how = 'graceful';
    this.#recorder.note('exit', { process: this.name, how, code: code ?? signal });
  }
}
