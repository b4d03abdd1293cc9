import { KafkaJSInvalidOptionError } from '../../kafkajs/errors/index.js';
import { DEFAULT_DRAIN_TIMEOUT } from '../../options/index.js';
import type { RunSettings } from '../../options/run.js';
import { KafkaRequestDeserializer, KafkaRequestSerializer } from '../internals.js';
import type { GuardedLogger } from '../log/guarded-logger.js';
import type { NestKafkaOptions } from '../options/index.js';
import type { HandlerRegistry } from '../server/handler-registry.js';
import type { DispatchPorts, RecordDispatch } from '../server/record-dispatch.js';
import { WorkerDispatch } from './worker-dispatch.js';
import { WorkerPool } from './worker-pool.js';

/** Options of handlers that are not possible on worker threads, with the reason. */
const REFUSED = {
  ack: 'acknowledgements after the end of a handler are made on the thread of the consumer',
  batch: 'a worker gets single messages',
  transactional: 'transactions are made on the thread of the consumer',
} as const;

/** What the workers of a server need of it. */
export interface WorkersOwner {
  readonly options: NestKafkaOptions;
  readonly run: RunSettings;
  readonly clientId: string;
  readonly groupId: string;
  readonly handlers: HandlerRegistry;
  readonly logger: GuardedLogger;
}

/**
 * Starts the workers of a server; `made` is told of them before, for what ends them.
 *
 * @throws KafkaJSInvalidOptionError, naming the handler, for an option of a handler that is not possible there.
 */
export async function startWorkers(
  { options, run, clientId, groupId, handlers, logger }: WorkersOwner,
  ports: DispatchPorts,
  made: (pool: WorkerPool) => void,
): Promise<RecordDispatch> {
  const registered = handlers.described();
  for (const { place, options: given } of registered) {
    for (const [name, why] of Object.entries(REFUSED)) {
      const value = given[name as keyof typeof REFUSED];
      if (value === undefined || value === false || value === 'auto') continue;
      const option = `kafka.${name}`;
      const message = `Option ${option} cannot be with run.workers: ${why}. Leave one of them out, or put the handler into a server of its own (${place})`;
      throw new KafkaJSInvalidOptionError(message, { option });
    }
  }
  const { serializer, deserializer, parser } = options;
  const ownCodec: ('serializer' | 'deserializer')[] = [];
  if (serializer && !(serializer instanceof KafkaRequestSerializer)) ownCodec.push('serializer');
  if (deserializer && !(deserializer instanceof KafkaRequestDeserializer)) ownCodec.push('deserializer');
  const pool = new WorkerPool({
    workers: run.workers as number,
    module: run.workerModule as string | URL,
    setup: { clientId, groupId, keepBinary: parser?.keepBinary ?? false, ownCodec },
    handlers: registered.map(({ name }) => name),
    drainTimeout: options.consumer?.drainTimeout ?? DEFAULT_DRAIN_TIMEOUT,
    logger,
  });
  made(pool);
  await pool.start();
  return new WorkerDispatch(ports, pool);
}
