import { compareMachine } from '../machine.mjs';
import { DEADLINES, perMessage, startRole, stopAll } from './shared.mjs';

/** Warm-up messages before the measured ones, as a share of these. */
const WARM_UP_SHARE = 0.1;

/** Which role consumes for which kind of workload. */
const ROLES = { consume: 'consumer', 'raw-consume': 'raw-consumer' };

/**
 * Measures messages drained from a topic that is filled once a run, through NestJS or without: one process with its
 * own group reads from the beginning. The window goes from the first to the last message after the warm-up.
 */
export async function measureDrain({ workload, candidate, id, run }) {
  const messages = Math.max(1, Math.round(run.messages * workload.share));
  const warmUp = Math.ceil(messages * WARM_UP_SHARE);
  const {
    partitions,
    payloadBytes,
    batches = false,
    form,
    fetch,
    autoCommit,
    types = 1,
    kafka,
    waitMs,
    computeMs,
    workers,
    ignores,
  } = workload;
  const { copies, transactions, deadLetter, failsEvery } = workload;
  const topic = candidate.inProcess ? id : await filledTopic(workload, warmUp + messages, run);

  const config = {
    candidate: candidate.name,
    topic,
    brokers: run.brokers,
    group: id,
    warmUp,
    messages,
    payloadBytes,
    partitions,
    batches,
    form,
    fetch,
    autoCommit,
    types,
    kafka,
    waitMs,
    computeMs,
    workers,
    ignores,
    failsEvery,
    deadLetter,
    transactions,
    copyTopic: copies && (await copyTopic(id, run)),
    brokerPid: run.brokerPid,
  };
  const consumer = startRole(candidate, ROLES[workload.kind], run);
  try {
    const window = await consumer.request('drain', config, DEADLINES.drain(warmUp + messages));
    const machine = compareMachine(window.machineBefore, window.machineAfter, window.cpuMicros);
    return {
      messages,
      seconds: window.seconds,
      perSecond: messages / window.seconds,
      cpuMicros: perMessage({ server: window.cpuMicros, broker: machine.brokerMicros }, messages),
      processes: { server: window.process },
      firstSeconds: window.firstSeconds,
      machine,
      warnings: [
        ...(window.repeated === 0 ? [] : [`${window.repeated} messages came more than once`]),
        ...(await stopAll([consumer])),
      ],
    };
  } finally {
    consumer.kill();
  }
}

/** The topic that a handler sends events on to. */
async function copyTopic(id, run) {
  const topic = `${id}.copies`;
  await run.topics.create([topic], 1);
  return topic;
}

/** A topic with that many messages, shared by the workloads that differ only in who consumes. */
async function filledTopic(workload, messages, run) {
  const { partitions, payloadBytes, keys = 0, types = 1, filled = partitions, fillBatch } = workload;
  const more = `${keys > 0 ? `-${keys}k` : ''}${types > 1 ? `-${types}t` : ''}${fillBatch ? `-${filled}f-${fillBatch}` : ''}`;
  const topic = `${run.id}.filled-${partitions}p-${payloadBytes}b-${messages}${more}`;
  if (run.filled.has(topic)) return topic;
  run.progress(
    `filling a topic of ${partitions} partition(s) with ${messages} messages of ${payloadBytes} B`,
  );
  await run.topics.create([topic], partitions);
  await run.topics.fill(topic, workload, messages);
  run.filled.add(topic);
  return topic;
}
