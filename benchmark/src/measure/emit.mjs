import { compareMachine } from '../machine.mjs';
import { RoleProcess } from '../process.mjs';
import { DEADLINES, stopAll } from './shared.mjs';

/** Measures `emit`: one client process, `inFlight` events not yet acknowledged at any time. */
export async function measureEmit({ workload, candidate, id, run }) {
  const topic = `${id}.emit`;
  await run.topics.create([topic], workload.partitions);

  const config = { candidate, topic, brokers: run.brokers, group: id, payloadBytes: workload.payloadBytes };
  const emitter = new RoleProcess('emitter', `${candidate} emitter`, run);
  try {
    const startedAt = performance.now();
    await emitter.request('start', config, DEADLINES.start);
    const readySeconds = (performance.now() - startedAt) / 1000;

    const load = { inFlight: workload.inFlight, brokerPid: run.brokerPid };
    const drive = (seconds) => emitter.request('drive', { ...load, seconds }, DEADLINES.load(seconds));
    await drive(run.warmUp);
    const heldBefore = await run.topics.count(topic);
    const window = await drive(run.duration);
    const stored = (await run.topics.count(topic)) - heldBefore;

    return {
      messages: window.messages,
      seconds: window.seconds,
      perSecond: window.messages / window.seconds,
      latencyMs: window.latencyMs,
      cpuMicros: { client: window.cpuMicros / window.messages },
      peakResidentMiB: { client: window.peakResidentMiB },
      readySeconds,
      machine: compareMachine(window.machineBefore, window.machineAfter, window.cpuMicros),
      warnings: [
        ...(stored === window.messages
          ? []
          : [`${window.messages} events were acknowledged, ${stored} stored`]),
        ...(await stopAll([emitter])),
      ],
    };
  } finally {
    emitter.kill();
  }
}
