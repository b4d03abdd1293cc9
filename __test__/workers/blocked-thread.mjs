// A worker's end of the way to its pool without an application: a record blocks the thread for good, and a close is not answered.
import { workerData } from 'node:worker_threads';

const { port } = workerData['nestjs-kafka-native'];
port.on('message', ({ kind }) => {
  if (kind === 'record') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
});
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- of windows, not of threads
port.postMessage({ kind: 'ready', handlers: [] });
