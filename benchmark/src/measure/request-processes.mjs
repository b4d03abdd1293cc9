import { combineWindows, shareOut } from './combine.mjs';
import { DEADLINES, startRole, stopAll } from './shared.mjs';

/**
 * The processes of a request-reply measurement: a server, unless the candidate has it in the client, and as many
 * clients as the workload asks for, with topics and consumer groups of their own.
 */
export class RequestProcesses {
  #step;
  #topics;
  #server;
  #clients;

  /** @param step the workload, the candidate, an id for everything the measurement makes, and the state of the run */
  constructor({ workload, candidate, id, run }) {
    this.#step = { workload, candidate, id, run };
    const { topics = 1, clients = 1 } = workload;
    const alone = candidate.program ? 'the program' : candidate.inProcess && 'a candidate without Kafka';
    if (alone && clients > 1) throw notSupported(`${alone} has one client`);
    if (candidate.program && topics > 1) throw notSupported(`${alone} has one topic`);
    const requests = Array.from({ length: topics }, (_, index) => `${id}.request${index || ''}`);
    this.#topics = { requests, replies: requests.map((topic) => `${topic}.reply`) };
    if (!candidate.inProcess) this.#server = startRole(candidate, 'server', run);
    this.#clients = Array.from({ length: clients }, () => startRole(candidate, 'client', run));
  }

  /**
   * Makes the topics and waits until every client has had replies.
   *
   * @param {Record<string, string>} topicConfig of all topics
   * @returns the start-up cost of the clients, and the resources of clients and server without load
   */
  async start(topicConfig = {}) {
    const { workload, candidate, id, run } = this.#step;
    const { partitions, payloadBytes, clients = 1, kafka, keys, traced } = workload;
    const { requests, replies } = this.#topics;
    if (!candidate.inProcess) {
      await run.topics.create(requests, partitions, topicConfig);
      // Each client needs a partition for its replies.
      await run.topics.create(replies, Math.max(partitions, clients), topicConfig);
    }
    const config = {
      candidate: candidate.name,
      inProcess: candidate.inProcess,
      topic: requests[0],
      topics: requests,
      brokers: run.brokers,
      group: id,
      payloadBytes,
      partitions,
      lingerMs: candidate.lingerMs,
      kafka,
      keys,
      traced,
    };
    await this.#server?.request('start', config, DEADLINES.start);
    const started = await this.#askClients('start', () => config, DEADLINES.start);
    const server = await this.mark();
    return {
      firstSeconds: Math.max(...started.map(({ firstSeconds }) => firstSeconds)),
      clientIdleMiB: started.reduce((sum, { process }) => sum + process.residentMiB, 0),
      serverIdleMiB: server?.process.residentMiB,
    };
  }

  /** Keeps the workload's requests in flight for `seconds`; returns the combined window of all clients. */
  async drive(seconds) {
    const { workload, run } = this.#step;
    const inFlight = shareOut(workload.inFlight, this.#clients.length);
    const load = { seconds, brokerPid: run.brokerPid, keepLatencies: this.#clients.length > 1 };
    const windows = await this.#askClients(
      'drive',
      (place) => ({ ...load, inFlight: inFlight[place] }),
      DEADLINES.load(seconds),
    );
    return combineWindows(windows);
  }

  /** Makes the only client send at a fixed rate, whether or not requests are answered; returns its window. */
  async pace(load) {
    const { brokerPid } = this.#step.run;
    const [window] = await this.#askClients(
      'pace',
      () => ({ ...load, brokerPid }),
      DEADLINES.load(load.seconds),
    );
    return window;
  }

  /** The current resources of the only client and the server, while they work. */
  async sample() {
    const [[client], server] = await Promise.all([
      this.#askClients('sample', () => ({}), DEADLINES.mark),
      this.#server.request('sample', {}, DEADLINES.mark),
    ]);
    return { client, server };
  }

  /** Marks the server's CPU time and the like; two marks make a window. */
  mark() {
    return this.#server?.request('mark', {}, DEADLINES.mark);
  }

  /** Stops clients and server; returns warnings. */
  stop() {
    return stopAll([...this.#clients, ...this.#servers()]);
  }

  /** Removes the topics, once everything has stopped: large payloads leave gigabytes. */
  async removeTopics() {
    const { requests, replies } = this.#topics;
    await this.#step.run.topics.remove([...requests, ...replies]);
  }

  kill() {
    for (const process of [...this.#clients, ...this.#servers()]) process.kill();
  }

  /** Resolves with the answers of all clients, or rejects if the server that they depend on ends first. */
  #askClients(command, argumentOf, deadlineMs) {
    const answers = this.#clients.map((client, place) =>
      client.request(command, argumentOf(place), deadlineMs),
    );
    return Promise.race([Promise.all(answers), ...this.#servers().map(({ died }) => died)]);
  }

  #servers() {
    return this.#server ? [this.#server] : [];
  }
}

function notSupported(reason) {
  return Object.assign(new Error(reason), { notSupported: reason });
}
