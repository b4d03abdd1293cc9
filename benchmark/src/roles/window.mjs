import { sampleMachine } from '../machine.mjs';

/**
 * Opens a measured window of this process.
 *
 * @param {number | undefined} brokerPid the broker's process, whose CPU time is told apart from others'
 * @returns a function that closes the window and says how long it was, the CPU time this process used in it, all
 *   threads counted, and what the machine did at both ends
 */
export function openWindow(brokerPid) {
  const machineBefore = sampleMachine(brokerPid);
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  return () => {
    const seconds = (performance.now() - startedAt) / 1000;
    const { user, system } = process.cpuUsage(cpuBefore);
    return { seconds, cpuMicros: user + system, machineBefore, machineAfter: sampleMachine(brokerPid) };
  };
}
