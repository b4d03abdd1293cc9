// A handler that runs once, and one that holds a thread; and the store that their threads share. Without a compiler, so that Node itself
// runs it in a worker.
import 'reflect-metadata';
import { BroadcastChannel, getEnvironmentData, threadId } from 'node:worker_threads';
import { Controller, Module } from '@nestjs/common';
import { EventPattern, Payload } from '@nestjs/microservices';
import { Idempotent } from 'nestjs-kafka-native';

const told = new BroadcastChannel('keys-test');
const LEASE = 500;

/** The places of the shared memory: whether the store is away, whether its only key is free, claimed or done, and since when it is claimed. */
const AWAY = 0;
const STATE = 1;
const SINCE = 2;
const [FREE, CLAIMED, DONE] = [0, 1, 2];

/** A store of a single key in memory that the threads share. */
class SharedStore {
  #memory = new Int32Array(getEnvironmentData('keys-test'));

  #ask() {
    if (Atomics.load(this.#memory, AWAY) === 1) throw new Error('away');
  }

  claim() {
    this.#ask();
    const state = Atomics.load(this.#memory, STATE);
    if (state === DONE) return { state: 'done' };
    const now = Date.now() % 2 ** 30;
    const isOver = now - Atomics.load(this.#memory, SINCE) > LEASE;
    if (state === CLAIMED && !isOver) return { state: 'busy' };
    Atomics.store(this.#memory, SINCE, now);
    Atomics.store(this.#memory, STATE, CLAIMED);
    return { state: 'claimed' };
  }

  done() {
    this.#ask();
    Atomics.store(this.#memory, STATE, DONE);
  }

  release() {
    this.#ask();
    Atomics.store(this.#memory, STATE, FREE);
  }
}

/** Tells of a message that is being handled, and handles it until the test says that it has been. */
function handle(name) {
  return new Promise((resolve) => {
    const channel = new BroadcastChannel('keys-test-end');
    // oxlint-disable-next-line unicorn/prefer-add-event-listener -- it has none in Node's types
    channel.onmessage = ({ data }) => {
      if (data !== name) return;
      channel.close();
      resolve();
    };
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- of windows, not of threads
    told.postMessage({ name, thread: threadId });
  });
}

/** The application of a server and its workers, whose topics begin with `topic`. */
export function applicationOf(topic) {
  class Handlers {
    pay(name) {
      return handle(name);
    }

    hold(name) {
      return handle(name);
    }
  }
  const { prototype } = Handlers;
  const pay = Object.getOwnPropertyDescriptor(prototype, 'pay');
  Idempotent({ key: (name) => name, store: new SharedStore(), lease: LEASE })(prototype, 'pay', pay);
  Object.defineProperty(prototype, 'pay', pay);
  for (const name of ['pay', 'hold']) {
    Payload()(prototype, name, 0);
    EventPattern(`${topic}.${name}`)(prototype, name, Object.getOwnPropertyDescriptor(prototype, name));
  }
  Controller()(Handlers);
  class AppModule {}
  Module({ controllers: [Handlers] })(AppModule);
  return AppModule;
}
