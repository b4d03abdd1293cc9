import { sampleMachine } from '../machine.mjs';

/**
 * Opens a measured window of this process.
 *
 * @param {number | undefined} brokerPid the broker's process, whose CPU time is measured separately
 * @returns a function that closes the window and returns its length, the CPU time of this process in it (all
 * threads), and samples of the machine at both ends
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
