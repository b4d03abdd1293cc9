/**
 * What the NestJS candidates have in common. Each is a file of `nest/` with
 *
 * - `microserviceOptions(options)`, what `NestFactory.createMicroservice()` takes: the one line in which applications
 *   differ;
 * - `createClient(options)`, a client not yet connected.
 *
 * A package that is no transport has `eventApplication(config, handle)` instead of the first: the application whose handler of the
 * topic's events is `handle`, with `listen()` and `close()`.
 */
import { Logger } from '@nestjs/common';
import { kafkajsFetch } from './fetch.mjs';

const WORKER_MODULE = new URL('worker.mjs', import.meta.url);

Logger.overrideLogger(['fatal', 'error', 'warn']);

/**
 * The options of every candidate. Other options have their defaults, which are the same on both sides, linger 0 among
 * them.
 */
export function kafkaOptions(config) {
  const {
    brokers,
    group,
    fromBeginning = false,
    producerOnlyMode = false,
    transactions,
    deadLetter,
    workers = 0,
  } = config;
  return {
    client: { clientId: 'bench', brokers },
    consumer: { groupId: group, ...kafkajsFetch() },
    subscribe: { fromBeginning },
    send: { acks: -1 },
    producerOnlyMode,
    // Only in workloads of what other packages do not have: they know no such options.
    ...(transactions && { transactions }),
    ...(deadLetter && { deadLetter }),
    ...(workers > 0 && { run: { workers, workerModule: WORKER_MODULE } }),
  };
}

/** The module of a NestJS candidate. */
export function loadNest(candidate) {
  return import(`./nest/${candidate}.mjs`);
}
