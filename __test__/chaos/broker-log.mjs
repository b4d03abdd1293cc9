/** What the group coordinators say in the brokers' logs, which no member can: that they have thrown one out. */
import { readFileSync } from 'node:fs';

const TIME = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d),(\d{3}) /;
/** A member of a classic group that had no heartbeat, or was not back in time for a rebalance; one of KIP-848; a static one. */
const EXPELLED = [
  /Member (\S+) in group \S+ has failed, removing it from the group/,
  /Member (\S+) fenced from the group because/,
  /removed dynamic members who haven't joined: (.+)/,
  /removed members who haven't sent their sync requests: (.+)/,
  // A static member whose session was over, as it counts itself, is back under another id.
  /Replacing previously mapped member (\S+) with this groupInstanceId/,
];

/**
 * @param {string[]} files logs of the brokers
 * @returns {{ at: number, members: string }[]} `members`: the text that names them
 */
export function expulsions(files) {
  return files.flatMap((file) => readFileSync(file, 'utf8').split('\n').flatMap(read));
}

function read(line) {
  const members = EXPELLED.map((pattern) => pattern.exec(line)?.[1]).find(Boolean);
  const time = members && TIME.exec(line);
  return time ? [{ at: new Date(`${time[1]}T${time[2]}.${time[3]}`).getTime(), members }] : [];
}
