/** Where a process writes what it does: a line for each event, written before the process goes on, so that a kill loses none. */
import { closeSync, fstatSync, openSync, readdirSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';

export class Recorder {
  #file;
  #process;

  constructor(folder, process) {
    this.#file = openSync(join(folder, `${process}.jsonl`), 'a');
    this.#process = process;
  }

  /** Notes an event of one of the types that history.mjs lists. */
  note(type, details = {}) {
    const event = { at: now(), process: this.#process, type, ...details };
    writeSync(this.#file, `${JSON.stringify(event)}\n`);
    return event;
  }
}

/** Milliseconds since the epoch, with fractions, by the clock that all processes of a machine share. */
export function now() {
  return STARTED + performance.now();
}

/**
 * When `performance.now()` was 0. `performance.timeOrigin` is off by as long as the machine kept this process waiting
 * between two looks at its clocks, 70 ms at times; the latest of many looks had not to wait.
 */
const STARTED = Math.max(...Array.from({ length: 200 }, () => Date.now() - performance.now()));

/** What all processes have noted, read on from where the last look has ended. */
export class Notes {
  #folder;
  /** How far each file is read, in bytes. */
  #read = new Map();
  events = [];

  constructor(folder) {
    this.#folder = folder;
  }

  /** Reads what has come since the last time. */
  refresh() {
    for (const name of readdirSync(this.#folder)) {
      if (name.endsWith('.jsonl')) this.#readOn(name);
    }
    return this.events;
  }

  #readOn(name) {
    const from = this.#read.get(name) ?? 0;
    const file = openSync(join(this.#folder, name), 'r');
    try {
      const data = Buffer.alloc(fstatSync(file).size - from);
      readSync(file, data, 0, data.length, from);
      // A line that a kill has cut off is none, and one that is being written comes with the next look.
      const end = data.lastIndexOf('\n') + 1;
      this.#read.set(name, from + end);
      for (const line of data.toString('utf8', 0, end).split('\n')) {
        if (line !== '') this.events.push(JSON.parse(line));
      }
    } finally {
      closeSync(file);
    }
  }
}
