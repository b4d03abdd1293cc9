/** The environment variable with the configuration of the worker threads, as JSON. */
export const WORKER_CONFIG = 'BENCHMARK_WORKER';
/** The channel on which their handlers tell of the number of each event. */
export const WORKER_EVENTS = 'benchmark-events';
