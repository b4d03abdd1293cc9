import { workerData } from 'node:worker_threads';
import type { ConsumerDeserializer, CustomTransportStrategy, Serializer } from '@nestjs/microservices';
import { ignore, own } from '../../application/callbacks.js';
import { IncomingBatch } from '../../codec/incoming.js';
import { KafkaJSNonRetriableError } from '../../kafkajs/errors/index.js';
import { PartitionTask } from '../../runner/partition-task.js';
import { INCOMPLETE, REPLIED, type Outcome } from '../../runner/record-handler.js';
import type { NestKafkaOptions } from '../options/index.js';
import { SETUP, type FromWorker, type SentRecord, type ToWorker, type WorkerSetup } from './messages.js';
import { receivedError, sentError } from './sent-error.js';
import { originalError } from '../server/original-errors.js';
import { WorkerServer } from './worker-server.js';

/** NestJS's microservice, as `NestFactory.createMicroservice()` makes it. */
export interface WorkerApplication {
  /** Initializes it and starts its transport. */
  listen(): Promise<unknown>;
  /** Ends it, with its shutdown hooks. */
  close(): Promise<unknown>;
}

/** Options of a worker: what a server has been given as objects cannot be sent to another thread. */
export interface KafkaWorkerOptions {
  /** The server's `serializer`. Default: NestJS's. */
  readonly serializer?: Serializer;
  /** The server's `deserializer`. Default: NestJS's. */
  readonly deserializer?: ConsumerDeserializer;
}

/**
 * Serves the handlers of an application to the server that has started this worker thread, which is the one whose `run.workerModule`
 * calls this:
 *
 * ```ts
 * await serveKafkaWorker((strategy) => NestFactory.createMicroservice(AppModule, { strategy }));
 * ```
 *
 * The application has to be made of the same modules as the server's. It is closed, with its shutdown hooks, when the server closes.
 *
 * @param create creates the application, with global pipes, guards, interceptors and filters, without letting it listen
 * @throws KafkaJSNonRetriableError (as a rejection) outside of such a thread, and without an option that the server has.
 */
export async function serveKafkaWorker(
  create: (strategy: CustomTransportStrategy) => Promise<WorkerApplication>,
  options: KafkaWorkerOptions = {},
): Promise<void> {
  const setup = setupOf();
  const worker = new ServedWorker(setup.port);
  try {
    await worker.serve(create, setup, options);
  } catch (error) {
    worker.refuse(error);
    throw error;
  }
}

function setupOf(): WorkerSetup {
  const setup = (workerData as Record<string, WorkerSetup> | null | undefined)?.[SETUP];
  if (setup !== undefined) return setup;
  throw new KafkaJSNonRetriableError(
    'serveKafkaWorker() was called outside of a worker thread of a Kafka server: name the module that calls it in the option run.workerModule of the server',
  );
}

const OUTCOMES = new Map<Outcome, 'handled' | 'replied' | 'streaming'>([
  [REPLIED, 'replied'],
  [INCOMPLETE, 'streaming'],
]);

/** Someone who waits for the answer to a heartbeat. */
interface Waiting {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** A worker thread's end of the way to its server. */
class ServedWorker {
  readonly #port: WorkerSetup['port'];
  /** By the record's id; one answer is for all that wait. */
  readonly #heartbeats = new Map<number, Waiting[]>();

  constructor(port: WorkerSetup['port']) {
    this.#port = port;
  }

  async serve(
    create: (strategy: CustomTransportStrategy) => Promise<WorkerApplication>,
    setup: WorkerSetup,
    options: KafkaWorkerOptions,
  ): Promise<void> {
    for (const name of setup.ownCodec) {
      if (options[name] !== undefined) continue;
      throw new KafkaJSNonRetriableError(
        `The server has a ${name} of its own, and its worker has not: give serveKafkaWorker() the same one, as { ${name} }`,
      );
    }
    const server = new WorkerServer(optionsOf(setup, options), {
      reply: (id, flags, record, error) => this.#send({ kind: 'reply', id, flags, record, error }),
      complete: (id, replies) => this.#send({ kind: 'complete', id, replies }),
      heartbeat: (id) => this.#heartbeat(id),
    });
    const application = await create(server);
    await application.listen();
    this.#port.on('message', (message: ToWorker) => this.#received(message, server, application));
    this.#send({ kind: 'ready', handlers: server.names });
  }

  /** The worker cannot serve, for this reason. */
  refuse(error: unknown): void {
    this.#send({ kind: 'refused', error: sentError(error) });
    this.#port.close();
  }

  #received(message: ToWorker, server: WorkerServer, application: WorkerApplication): void {
    switch (message.kind) {
      case 'record':
        own(this.#handle(message, server), ignore);
        return;
      case 'heartbeat': {
        const waiting = this.#heartbeats.get(message.id) ?? [];
        this.#heartbeats.delete(message.id);
        for (const { resolve, reject } of waiting) {
          if (message.error === undefined) resolve();
          else reject(receivedError(message.error));
        }
        return;
      }
      case 'close':
        own(this.#close(application), ignore);
    }
  }

  async #handle(record: SentRecord, server: WorkerServer): Promise<void> {
    const { id, source, partition, topic, attempt, packed } = record;
    const batch = new IncomingBatch(Buffer.from(packed));
    const task = new PartitionTask(id, source, partition);
    task.failures = attempt - 1;
    // Only a record whose handler is running can be refused.
    task.state = 'running';
    try {
      const outcome = OUTCOMES.get(await server.handle(task, batch, topic, attempt)) ?? 'handled';
      this.#send({ kind: 'outcome', id, outcome, nack: task.nackedFor });
    } catch (error) {
      const original = originalError(error);
      this.#send({
        kind: 'failed',
        id,
        error: sentError(error),
        original: original === error ? undefined : sentError(original),
        nack: task.nackedFor,
      });
    } finally {
      task.state = 'idle';
    }
  }

  async #close(application: WorkerApplication): Promise<void> {
    try {
      await application.close();
    } finally {
      this.#port.close();
    }
  }

  #heartbeat(id: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiting = this.#heartbeats.get(id) ?? [];
      this.#heartbeats.set(id, [...waiting, { resolve, reject }]);
      if (waiting.length === 0) this.#send({ kind: 'heartbeat', id });
    });
  }

  #send(message: FromWorker): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- of windows, not of threads
    this.#port.postMessage(message);
  }
}

function optionsOf(
  { clientId, groupId, keepBinary }: WorkerSetup,
  { serializer, deserializer }: KafkaWorkerOptions,
): NestKafkaOptions {
  return {
    client: { clientId },
    consumer: { groupId },
    postfixId: '',
    parser: { keepBinary },
    ...(serializer && { serializer }),
    ...(deserializer && { deserializer }),
  };
}
