import { compareMachine, sampleMachine } from '../machine.mjs';
import { DEADLINES, startRole, stopAll } from './shared.mjs';

/**
 * Measures how long applications take to start: a server from the fork of its process until it listens, then a client from the fork of
 * its process until it has its first reply. Loading of code is in it, as after a deployment; the topics are there.
 */
export async function measureStart({ workload, candidate, id, run }) {
  const { partitions, payloadBytes } = workload;
  const topic = `${id}.request`;
  const topics = [topic, `${topic}.reply`];
  await run.topics.create(topics, partitions);
  const config = {
    candidate: candidate.name,
    topic,
    topics: [topic],
    brokers: run.brokers,
    group: id,
    payloadBytes,
    partitions,
  };
  const processes = [];
  const start = async (role) => {
    const forkedAt = performance.now();
    const process = startRole(candidate, role, run);
    processes.unshift(process);
    const started = await process.request('start', config, DEADLINES.start);
    return { seconds: (performance.now() - forkedAt) / 1000, ...started };
  };
  try {
    const before = sampleMachine(run.brokerPid);
    const server = await start('server');
    const client = await start('client');
    const machine = compareMachine(before, sampleMachine(run.brokerPid), 0);
    const [, serverProcess] = processes;
    const mark = await serverProcess.request('mark', {}, DEADLINES.mark);
    return {
      messages: 1,
      seconds: server.seconds + client.seconds,
      perSecond: 1 / (server.seconds + client.seconds),
      cpuMicros: { server: mark.cpuMicros },
      processes: { client: client.process, server: mark.process },
      listeningSeconds: server.seconds,
      firstSeconds: client.seconds,
      // The processes themselves count as others here: they have no window.
      machine: { ...machine, other: null },
      warnings: await stopAll(processes),
    };
  } finally {
    for (const process of processes) process.kill();
    await run.topics.remove(topics);
  }
}
