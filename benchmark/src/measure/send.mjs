import { compareMachine } from '../machine.mjs';
import { DEADLINES, perMessage, startRole, stopAll } from './shared.mjs';

/** Which role sends for which kind of workload. */
const ROLES = { emit: 'emitter', 'raw-produce': 'raw-producer' };

/**
 * Measures sending, through NestJS or without: one client process, `inFlight` calls not yet acknowledged at any time,
 * each with `batchLength` messages.
 */
export async function measureSend({ workload, candidate, id, run }) {
  const topic = `${id}.events`;
  await run.topics.create([topic], workload.partitions);

  const { payloadBytes, batchLength, form, acks = -1 } = workload;
  const config = {
    candidate: candidate.name,
    topic,
    brokers: run.brokers,
    group: id,
    payloadBytes,
    batchLength,
    partitions: workload.partitions,
    form,
    acks,
    lingerMs: candidate.lingerMs,
  };
  const sender = startRole(candidate, ROLES[workload.kind], run);
  try {
    const { firstSeconds, process: idle } = await sender.request('start', config, DEADLINES.start);

    const load = { inFlight: workload.inFlight, brokerPid: run.brokerPid };
    const drive = (seconds) => sender.request('drive', { ...load, seconds }, DEADLINES.load(seconds));
    const warm = await drive(run.warmUp);
    // Without acknowledgements some may still be on their way. One batch was sent at the start.
    const arrived = (messages) => run.topics[acks === 0 ? 'countUntil' : 'count'](topic, messages);
    const heldBefore = await arrived((1 + warm.operations) * batchLength);
    const window = await drive(run.duration);
    const messages = window.operations * batchLength;
    const stored = (await arrived(heldBefore + messages)) - heldBefore;

    const machine = compareMachine(window.machineBefore, window.machineAfter, window.cpuMicros);
    return {
      messages,
      seconds: window.seconds,
      perSecond: messages / window.seconds,
      latencyMs: window.latencyMs,
      cpuMicros: perMessage({ client: window.cpuMicros, broker: machine.brokerMicros }, messages),
      processes: { client: { ...window.process, idleMiB: idle.residentMiB } },
      firstSeconds,
      machine,
      warnings: [
        ...(stored === messages ? [] : [`${messages} messages were acknowledged, ${stored} stored`]),
        ...(await stopAll([sender])),
      ],
    };
  } finally {
    sender.kill();
  }
}
