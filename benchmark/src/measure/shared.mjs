import { RoleProcess } from '../process.mjs';

/** How long each step may take, in ms, before its process counts as hanging: far more than any healthy one takes. */
export const DEADLINES = {
  start: 120_000,
  mark: 30_000,
  load: (seconds) => seconds * 1000 + 60_000,
  /** Joining, and then at least a thousand events a second. */
  drain: (messages) => 120_000 + messages,
};

/** Starts a process of a candidate. */
export function startRole(candidate, role, run) {
  const program = candidate.program ? run.limit : undefined;
  return new RoleProcess(role, `${candidate.name} ${role}`, { verbose: run.verbose, program });
}

/** CPU times of a window, in µs per message; null if not known. */
export function perMessage(micros, messages) {
  const entries = Object.entries(micros).map(([role, value]) => [
    role,
    value === null ? null : value / messages,
  ]);
  return Object.fromEntries(entries);
}

/** Stops processes one after another, in order; returns warnings. */
export async function stopAll(processes) {
  const warnings = [];
  for (const process of processes) {
    // oxlint-disable-next-line no-await-in-loop -- a server must outlive its client
    warnings.push(...(await process.stop()));
  }
  return warnings;
}
