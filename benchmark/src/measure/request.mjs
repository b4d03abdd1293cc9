import { compareMachine } from '../machine.mjs';
import { RoleProcess } from '../process.mjs';
import { DEADLINES, stopAll } from './shared.mjs';

/**
 * Measures request-reply: a server and a client process, `inFlight` requests outstanding at any time. Each
 * measurement has topics and consumer groups of its own.
 */
export async function measureRequest({ workload, candidate, id, run }) {
  const topic = `${id}.request`;
  await run.topics.create([topic, `${topic}.reply`], workload.partitions);

  const config = {
    candidate,
    topic,
    brokers: run.brokers,
    group: id,
    payloadBytes: workload.payloadBytes,
  };
  const server = new RoleProcess('server', `${candidate} server`, run);
  const client = new RoleProcess('client', `${candidate} client`, run);
  const processes = [client, server];
  try {
    const startedAt = performance.now();
    await server.request('start', config, DEADLINES.start);
    await Promise.race([client.request('start', config, DEADLINES.start), server.died]);
    const readySeconds = (performance.now() - startedAt) / 1000;

    const load = { inFlight: workload.inFlight, brokerPid: run.brokerPid };
    const drive = (seconds) =>
      Promise.race([client.request('drive', { ...load, seconds }, DEADLINES.load(seconds)), server.died]);
    await drive(run.warmUp);
    const before = await server.request('mark', {}, DEADLINES.mark);
    const window = await drive(run.duration);
    const after = await server.request('mark', {}, DEADLINES.mark);

    const serverMicros = after.cpuMicros - before.cpuMicros;
    const handled = after.handled - before.handled;
    const surplus = handled - window.messages;
    return {
      messages: window.messages,
      seconds: window.seconds,
      perSecond: window.messages / window.seconds,
      latencyMs: window.latencyMs,
      cpuMicros: { client: window.cpuMicros / window.messages, server: serverMicros / window.messages },
      peakResidentMiB: { client: window.peakResidentMiB, server: after.peakResidentMiB },
      readySeconds,
      machine: compareMachine(window.machineBefore, window.machineAfter, window.cpuMicros + serverMicros),
      warnings: [
        ...(surplus === 0 ? [] : [`${window.messages} requests were answered, ${handled} handled`]),
        ...(await stopAll(processes)),
      ],
    };
  } finally {
    for (const process of processes) process.kill();
  }
}
