/** A worker thread of the process that drains a topic: the same application, whose handler tells that process of its events. */
import { serveKafkaWorker } from 'nestjs-kafka-native/worker';
import { createEventApplication } from './application.mjs';
import { WORKER_CONFIG, WORKER_EVENTS } from './worker-channel.mjs';

const config = JSON.parse(process.env[WORKER_CONFIG]);
const events = new BroadcastChannel(WORKER_EVENTS);
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- of windows, not of threads
const tell = (index) => events.postMessage(index);

await serveKafkaWorker((strategy) => createEventApplication({ ...config, strategy }, tell));
