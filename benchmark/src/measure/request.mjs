import { compareMachine } from '../machine.mjs';
import { RequestProcesses } from './request-processes.mjs';
import { perMessage } from './shared.mjs';

/**
 * Measures request-reply: a server and one or more client processes, `inFlight` requests outstanding at any time. Each
 * measurement has topics and consumer groups of its own.
 */
export async function measureRequest({ workload, candidate, id, run }) {
  const processes = new RequestProcesses({ workload, candidate, id, run });
  try {
    const { firstSeconds, clientIdleMiB, serverIdleMiB } = await processes.start();
    await processes.drive(run.warmUp);
    const before = await processes.mark();
    const window = await processes.drive(run.duration);
    const after = await processes.mark();

    const messages = window.operations;
    const serverMicros = after ? after.cpuMicros - before.cpuMicros : 0;
    const handled = after ? after.handled - before.handled : window.handled;
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
          ...(after ? { server: serverMicros, broker: machine.brokerMicros } : {}),
        },
        messages,
      ),
      processes: {
        client: { ...window.process, idleMiB: clientIdleMiB },
        ...(after ? { server: { ...after.process, idleMiB: serverIdleMiB } } : {}),
      },
      firstSeconds,
      machine,
      warnings: [
        ...(handled === messages ? [] : [`${messages} requests were answered, ${handled} handled`]),
        ...(await processes.stop()),
      ],
    };
  } finally {
    processes.kill();
    await processes.removeTopics();
  }
}
