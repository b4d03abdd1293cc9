import { describeMachine, findListener } from './machine.mjs';
import { FETCH } from './roles/fetch.mjs';
import { Topics } from './topics.mjs';

/** What the measurements of a run share. */
export function createRunState(options, { limit, progress }) {
  return {
    id: `bench-${process.pid}-${Date.now().toString(36)}`,
    brokers: options.brokers,
    brokerPid: localListener(options.brokers[0]),
    duration: options.duration,
    warmUp: options.warmUp,
    messages: options.messages,
    verbose: options.verbose,
    topics: new Topics(options.brokers),
    filled: new Set(),
    limit,
    progress,
  };
}

/** The data of the run that every result contains: when, how and where it was made. */
export function describeRunState(options, state, kafka) {
  return {
    date: options.date,
    command: ['npm run bench', ...(options.argv.length > 0 ? ['--', ...options.argv] : [])].join(' '),
    machine: { ...describeMachine(), kafka, brokerOnThisMachine: state.brokerPid !== undefined },
    settings: settings(options),
  };
}

/** The settings that all candidates share, as the output states them. */
function settings({ rounds, duration, warmUp, messages, quick }) {
  return {
    rounds,
    quick,
    durationSeconds: duration,
    warmUpSeconds: warmUp,
    consumedMessages: messages,
    acks: -1,
    lingerMs: 0,
    fetch: FETCH,
    compression: 'none',
    commits: 'automatic',
    replicationFactor: 1,
  };
}

function localListener(broker) {
  const [host, port] = broker.split(':');
  return ['127.0.0.1', 'localhost', '[::1]'].includes(host) ? findListener(Number(port)) : undefined;
}
