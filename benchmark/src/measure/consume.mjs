import { compareMachine } from '../machine.mjs';
import { RoleProcess } from '../process.mjs';
import { DEADLINES, stopAll } from './shared.mjs';

/** The share of the measured events that comes before them as warm-up. */
const WARM_UP_SHARE = 0.1;

/**
 * Measures events drained from a topic that is filled once a run: one server process with a group of its own, from
 * the beginning. The window goes from the first to the last call of the handler, after the warm-up events.
 */
export async function measureConsume({ workload, candidate, id, run }) {
  const messages = Math.max(1, Math.round(run.messages * workload.share));
  const warmUp = Math.ceil(messages * WARM_UP_SHARE);
  const topic = await filledTopic(workload, warmUp + messages, run);

  const config = {
    candidate,
    topic,
    brokers: run.brokers,
    group: id,
    warmUp,
    messages,
    brokerPid: run.brokerPid,
  };
  const consumer = new RoleProcess('consumer', `${candidate} consumer`, run);
  try {
    const window = await consumer.request('drain', config, DEADLINES.drain(warmUp + messages));
    return {
      messages,
      seconds: window.seconds,
      perSecond: messages / window.seconds,
      cpuMicros: { server: window.cpuMicros / messages },
      peakResidentMiB: { server: window.peakResidentMiB },
      machine: compareMachine(window.machineBefore, window.machineAfter, window.cpuMicros),
      warnings: [
        ...(window.repeated === 0 ? [] : [`${window.repeated} events came more than once`]),
        ...(await stopAll([consumer])),
      ],
    };
  } finally {
    consumer.kill();
  }
}

async function filledTopic(workload, messages, run) {
  const known = run.filled.get(workload.name);
  if (known !== undefined) return known;
  const topic = `${run.id}.${workload.name}`;
  run.progress(`filling a topic with ${messages} events for ${workload.name}`);
  await run.topics.create([topic], workload.partitions);
  await run.topics.fill(topic, workload.partitions, messages, workload.payloadBytes);
  run.filled.set(workload.name, topic);
  return topic;
}
