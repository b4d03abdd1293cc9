import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, platform, release, totalmem } from 'node:os';

/** The unit of CPU time in /proc: USER_HZ, 100 on every Linux that Node runs on. */
const MICROS_PER_TICK = 10_000;

/** The machine and the runtime, for the record beside the figures. */
export function describeMachine() {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 1024 ** 3),
    os: `${platform()} ${release()}`,
    node: process.version,
  };
}

/**
 * CPU time since the machine started, in µs: in total, idle, and used by the broker. Null without /proc.
 *
 * @param {number | undefined} brokerPid the broker's process if it runs on this machine
 */
export function sampleMachine(brokerPid) {
  const stat = readProc('stat');
  if (stat === null) return null;
  // user nice system idle iowait irq softirq steal; the two guest columns are already part of user and nice.
  const columns = stat.slice(0, stat.indexOf('\n')).trim().split(/\s+/).slice(1, 9).map(Number);
  return {
    totalMicros: columns.reduce((sum, ticks) => sum + ticks, 0) * MICROS_PER_TICK,
    idleMicros: (columns[3] + columns[4]) * MICROS_PER_TICK,
    brokerMicros: processMicros(brokerPid),
  };
}

/**
 * What the machine did between two samples, as shares of all its CPU time, and the CPU time of the broker in µs.
 *
 * @param {number} ownMicros CPU time of the measured processes in between
 */
export function compareMachine(before, after, ownMicros) {
  const load = loadavg().map((value) => Number(value.toFixed(2)));
  if (before === null || after === null) return { load, brokerMicros: null };
  const total = Math.max(1, after.totalMicros - before.totalMicros);
  const idle = (after.idleMicros - before.idleMicros) / total;
  const own = ownMicros / total;
  const brokerMicros = before.brokerMicros === null ? null : after.brokerMicros - before.brokerMicros;
  const broker = brokerMicros === null ? null : brokerMicros / total;
  const other = broker === null ? null : Math.max(0, 1 - idle - own - broker);
  return { load, idle, own, broker, other, brokerMicros };
}

/**
 * Resources of this process: resident memory now and at its peak, in MiB, and its threads. The first and the last are
 * null without /proc.
 */
export function sampleProcess() {
  const status = readProc('self/status') ?? '';
  const number = (field) => {
    const found = new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(status);
    return found === null ? null : Number(found[1]);
  };
  const resident = number('VmRSS');
  return {
    residentMiB: resident === null ? null : resident / 1024,
    peakResidentMiB: (number('VmHWM') ?? process.resourceUsage().maxRSS) / 1024,
    threads: number('Threads'),
  };
}

/** The memory of this process at this moment, in MiB: resident, of JavaScript's heap in use, and buffers beside it. */
export function sampleMemory() {
  const { rss, heapUsed, external } = process.memoryUsage();
  return { residentMiB: mib(rss), heapUsedMiB: mib(heapUsed), externalMiB: mib(external) };
}

/** With two decimals, more than enough. */
function mib(bytes) {
  return Math.round((bytes / 1024 ** 2) * 100) / 100;
}

/** The process on this machine that listens on a TCP port, if it is visible. */
export function findListener(port) {
  const inodes = new Set();
  for (const table of ['net/tcp', 'net/tcp6']) {
    for (const line of (readProc(table) ?? '').split('\n').slice(1)) {
      const columns = line.trim().split(/\s+/);
      const listens = columns[3] === '0A';
      if (listens && Number.parseInt(columns[1].split(':')[1], 16) === port)
        inodes.add(`socket:[${columns[9]}]`);
    }
  }
  if (inodes.size === 0) return undefined;
  const processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const owner = processes.find((pid) => openFiles(pid).some((target) => inodes.has(target)));
  return owner === undefined ? undefined : Number(owner);
}

function openFiles(pid) {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
  } catch {
    return []; // It has ended, one of its files is closed, or it belongs to another user.
  }
}

function processMicros(pid) {
  const stat = pid === undefined ? null : readProc(`${pid}/stat`);
  if (stat === null) return null;
  // The name, in parentheses, may hold spaces: count the columns from behind it.
  const columns = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(columns[11]) + Number(columns[12])) * MICROS_PER_TICK;
}

function readProc(path) {
  try {
    return readFileSync(`/proc/${path}`, 'utf8');
  } catch {
    return null;
  }
}
