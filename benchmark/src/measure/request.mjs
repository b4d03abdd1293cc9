import { compareMachine } from '../machine.mjs';
import { DEADLINES, perMessage, startRole, stopAll } from './shared.mjs';

/**
 * Measures request-reply: a server and a client process, `inFlight` requests outstanding at any time. Each
 * measurement has topics and consumer groups of its own.
 */
export async function measureRequest({ workload, candidate, id, run }) {
  const topic = `${id}.request`;
  const config = {
    candidate: candidate.name,
    inProcess: candidate.inProcess,
    topic,
    brokers: run.brokers,
    group: id,
    payloadBytes: workload.payloadBytes,
    partitions: workload.partitions,
    lingerMs: candidate.lingerMs,
  };
  if (!candidate.inProcess) await run.topics.create([topic, `${topic}.reply`], workload.partitions);

  const server = candidate.inProcess ? undefined : startRole(candidate, 'server', run);
  const client = startRole(candidate, 'client', run);
  const processes = [client, ...(server ? [server] : [])];
  /** Whatever comes first: the client's answer, or the end of the server that it depends on. */
  const ask = (...request) => Promise.race([client.request(...request), ...(server ? [server.died] : [])]);
  try {
    await server?.request('start', config, DEADLINES.start);
    const { firstSeconds, process: clientIdle } = await ask('start', config, DEADLINES.start);

    const load = { inFlight: workload.inFlight, brokerPid: run.brokerPid };
    const drive = (seconds) => ask('drive', { ...load, seconds }, DEADLINES.load(seconds));
    const serverIdle = (await server?.request('mark', {}, DEADLINES.mark))?.process;
    await drive(run.warmUp);
    const before = await server?.request('mark', {}, DEADLINES.mark);
    const window = await drive(run.duration);
    const after = await server?.request('mark', {}, DEADLINES.mark);

    const messages = window.operations;
    const serverMicros = server ? after.cpuMicros - before.cpuMicros : 0;
    const handled = server ? after.handled - before.handled : window.handled;
    const machine = compareMachine(
      window.machineBefore,
      window.machineAfter,
      window.cpuMicros + serverMicros,
    );
    return {
      messages,
      seconds: window.seconds,
      perSecond: messages / window.seconds,
      latencyMs: window.latencyMs,
      cpuMicros: perMessage(
        {
          client: window.cpuMicros,
          ...(server ? { server: serverMicros, broker: machine.brokerMicros } : {}),
        },
        messages,
      ),
      processes: {
        client: { ...window.process, idleMiB: clientIdle.residentMiB },
        ...(server ? { server: { ...after.process, idleMiB: serverIdle.residentMiB } } : {}),
      },
      firstSeconds,
      machine,
      warnings: [
        ...(handled === messages ? [] : [`${messages} requests were answered, ${handled} handled`]),
        ...(await stopAll(processes)),
      ],
    };
  } finally {
    for (const process of processes) process.kill();
  }
}
