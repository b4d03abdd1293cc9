/**
 * Handlers on worker threads: the entry for the module of a worker (`run.workerModule`).
 *
 * @packageDocumentation
 */
export {
  serveKafkaWorker,
  type KafkaWorkerOptions,
  type WorkerApplication,
} from './nest/workers/serve-worker.js';
