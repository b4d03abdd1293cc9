import { fork, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** How long a process may take to exit after it has closed its transport. */
const EXIT_DEADLINE_MS = 20_000;

/** How many of the last lines of output an error about a process shows. */
const TAIL_LINES = 30;

/** Names of errors for features that a role's client does not have, kafkajs's included. */
const NOT_SUPPORTED = new Set(['NotSupported', 'KafkaJSNotImplemented']);

const living = new Set();

/** Kills every process that is still running: for Ctrl-C and for failures. */
export function killAll() {
  for (const child of living) child.kill();
}

/** A role in a Node process: messages over Node's IPC, everything it prints as output. */
function forkRole(role) {
  const child = fork(fileURLToPath(new URL(`roles/${role}.mjs`, import.meta.url)), [], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: { ...process.env, NODE_ENV: 'production', KAFKAJS_NO_PARTITIONER_WARNING: '1' },
  });
  return {
    child,
    output: [child.stdout, child.stderr],
    isOpen: () => child.connected,
    send: (message, done) => child.send(message, done),
    listen: (receive) => child.on('message', receive),
  };
}

/** A role in a program of any language: messages as lines of JSON over its standard input and output. */
function spawnProgram(program, role) {
  const child = spawn(program, [role], { stdio: ['pipe', 'pipe', 'pipe'] });
  child.stdin.on('error', () => undefined); // The exit is reported instead.
  return {
    child,
    output: [child.stderr],
    isOpen: () => child.stdin.writable,
    send: (message, done) => child.stdin.write(`${JSON.stringify(message)}\n`, done),
    listen: (receive) =>
      createInterface({ input: child.stdout }).on('line', (line) => receive(JSON.parse(line))),
  };
}

/**
 * A measured process: one of `roles/*.mjs` in a Node process of its own, or the same role of a program, which carries
 * out commands.
 */
export class RoleProcess {
  #channel;
  #label;
  #tail = [];
  #pending = new Map();
  #nextId = 0;
  #exited;
  #stopping = false;

  /** Rejects when the process exits before `stop()`, for callers that wait for another process that depends on it. */
  died;

  /**
   * @param {string} role the name of a file in `roles/`
   * @param {string} label how messages about this process name it
   * @param {{ verbose?: boolean, program?: string }} options `verbose`: show its output; `program`: run this instead
   *   of Node, with the role as its argument
   */
  constructor(role, label, { verbose = false, program } = {}) {
    this.#label = label;
    this.#channel = program === undefined ? forkRole(role) : spawnProgram(program, role);
    living.add(this);
    for (const stream of this.#channel.output) this.#collect(stream, verbose);
    this.#channel.listen((message) => this.#settle(message));
    const { child } = this.#channel;
    this.#exited = new Promise((resolve) => {
      child.once('error', (error) => resolve(`could not be run: ${error.message}`));
      child.once('exit', (code, signal) => resolve(`exited with ${signal ?? `code ${code}`}`));
    });
    this.died = this.#exited.then((how) => this.#gone(how));
    this.died.catch(() => undefined); // Not everyone waits for it.
  }

  /**
   * Makes the process carry out a command.
   *
   * @param {string} command one of the role's commands
   * @param {object} argument its argument
   * @param {number} deadlineMs after which the process counts as hanging and is killed
   * @throws an error with `notSupported`, a text, if its client does not offer what was asked for
   */
  request(command, argument, deadlineMs) {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#fail(id, `did not finish "${command}" within ${deadlineMs / 1000} s and was killed`);
        this.kill();
      }, deadlineMs);
      this.#pending.set(id, { resolve, reject, timer });
      if (!this.#channel.isOpen()) {
        this.#fail(id, `was gone before "${command}"`);
        return;
      }
      this.#channel.send({ id, command, argument }, (error) => {
        if (error) this.#fail(id, `could not be asked for "${command}": ${error.message}`);
      });
    });
  }

  /**
   * Makes the process close its transport, and waits until it has exited by itself.
   *
   * @returns warnings: a process that does not close or exit is killed; its figures count all the same
   */
  async stop() {
    this.#stopping = true;
    try {
      await this.request('close', {}, EXIT_DEADLINE_MS);
    } catch (error) {
      this.kill();
      return [error.message];
    }
    const left = await Promise.race([this.#exited.then(() => true), later(EXIT_DEADLINE_MS, false)]);
    if (left) return [];
    this.kill();
    return [`${this.#label} closed but did not exit within ${EXIT_DEADLINE_MS / 1000} s and was killed`];
  }

  kill() {
    this.#channel.child.kill('SIGKILL');
  }

  #collect(stream, verbose) {
    stream.setEncoding('utf8');
    stream.on('data', (text) => {
      if (verbose) process.stderr.write(text);
      this.#tail.push(...text.split('\n').filter(Boolean));
      this.#tail.splice(0, this.#tail.length - TAIL_LINES);
    });
  }

  #settle({ id, result, error, errorName }) {
    if (error !== undefined) {
      const [notSupported] = NOT_SUPPORTED.has(errorName) ? error.split('\n') : [];
      this.#fail(id, `failed: ${error}`, { notSupported });
      return;
    }
    this.#take(id)?.resolve(result);
  }

  #gone(how) {
    living.delete(this);
    for (const id of this.#pending.keys()) this.#fail(id, how);
    if (!this.#stopping) throw this.#error(how);
  }

  #fail(id, what, details) {
    this.#take(id)?.reject(Object.assign(this.#error(what), details));
  }

  #error(what) {
    const output = this.#tail.length > 0 ? `\n  ${this.#tail.join('\n  ')}` : '';
    return new Error(`${this.#label} ${what}${output}`);
  }

  #take(id) {
    const pending = this.#pending.get(id);
    clearTimeout(pending?.timer);
    this.#pending.delete(id);
    return pending;
  }
}

/** Resolves to `value` later, without holding up the exit of this process. */
function later(milliseconds, value) {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds, value).unref();
  });
}
