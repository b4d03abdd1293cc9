import type { GuardedLogger } from './log/guarded-logger.js';

/** The clients of this process with a `replyTimeout`, and its milliseconds. */
const clients = new Map<object, number>();
/** The servers of this process whose requests may wait in retry topics, and for how many milliseconds in total. */
const servers = new Map<object, number>();

/** A client connects: warns if a server here may answer later than the client waits. */
export function noteClient(client: object, replyTimeout: number, logger: GuardedLogger): void {
  clients.set(client, replyTimeout);
  compare(replyTimeout, Math.max(...servers.values()), logger);
}

/** A server with retry topics for requests starts: warns if a client here waits shorter than the retries may take. */
export function noteServer(server: object, delays: number, logger: GuardedLogger): void {
  servers.set(server, delays);
  compare(Math.min(...clients.values()), delays, logger);
}

/** A client or server has closed. */
export function forget(one: object): void {
  clients.delete(one);
  servers.delete(one);
}

function compare(replyTimeout: number, delays: number, logger: GuardedLogger): void {
  if (replyTimeout > delays) return;
  logger.warn(
    `A request whose handler fails may be answered ${delays} ms late (deadLetter.retryTopics.delays), and a client gives it up after ${replyTimeout} ms: give the client a longer replyTimeout, or requests no retry topics`,
  );
}
