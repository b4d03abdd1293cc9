/**
 * The history of a chaos run: what every process said before and after each operation, and what is in the cluster at
 * the end. Pure data; the checker judges it.
 *
 * @typedef {object} Event
 * @property {number} at ms since the epoch, with fractions; all processes share one machine's clock
 * @property {string} process who says it
 * @property {string} type one of those below
 *
 * Producing
 *   send         { send, topic, key, record, transaction? }      about to be sent; `record` names it for good
 *   sent         { send, outcome: 'acknowledged', partition, offset }
 *                { send, outcome: 'refused', error }             definitely not written
 *                { send, outcome: 'unknown', error }             nobody can say
 *   transaction  { transaction, outcome: 'committed' | 'aborted' | 'unknown' }
 *
 * Consuming; `member` is one life of a consumer in its group, from its join to its stop or crash
 *   joined       { group, member }
 *   assigned     { group, member, assignment, topic, partition } `assignment` numbers them within the process
 *   begin        { assignment, offset, record, attempt }         the handler is about to be called
 *   passed       { assignment, offset }                          its first value is there: the next one may begin
 *   end          { assignment, offset, outcome: 'done' | 'failed' | 'dead-lettered' }
 *
 * Requests; `record` names a request for good
 *   request      { request, topic }
 *   reply        { request, body: { record, number, of } }       `number` of so many
 *   replied      { request, outcome: 'complete' | 'error', error? }
 *
 * The run
 *   start        { target, role, group?, stock? }                a process; `stock`: kafkajs's
 *   exit         { how: 'graceful' | 'killed' | 'crashed' | 'hung', code } of a process, told by its parent
 *   fault        { number?, fault, target, until? }              `target`: a process, or '*'; without an end it lasts
 *   recovered    { number }                                      the fault of this number is over
 *   expelled     { member }                                      told by the group's coordinator
 *   healed       { }                                             no fault from here on
 *   resources    { threads, descriptors, residentMiB, phase: 'before' | 'after' }
 *   topic        { topic, step: 'delete' | 'made' }
 *
 * @typedef {object} LogRecord a record as an independent reader found it at the end
 * @property {string} topic
 * @property {number} partition
 * @property {number} offset
 * @property {string} record
 * @property {string | null} key
 *
 * @typedef {object} Commit an offset as the group's coordinator stored it
 * @property {number} at
 * @property {string} group
 * @property {string} topic
 * @property {number} partition
 * @property {number} offset
 *
 * @typedef {object} History
 * @property {Event[]} events
 * @property {LogRecord[]} log of visible records
 * @property {Commit[]} commits
 *
 * @typedef {object} Violation
 * @property {string} invariant
 * @property {string} message what is wrong, in a sentence
 * @property {(Event | Commit | LogRecord)[]} shown the shortest part of the history that shows it
 * @property {string[]} by the processes that it can come from
 */

/** A fault has effects for so long after it is over: connections are made anew, what has failed is tried again. */
const AFTERMATH_MS = 5000;
/** A coordinator throws a member out when it has not heard of it for so long. */
const SESSION_MS = 10_000;
/** What brokers and clients know of a topic that was made anew may be so old. */
const STALE_MS = 5000;

const byTime = (a, b) => a.at - b.at;

/** A history with what the invariants look up, made once. */
export class Timeline {
  #byType;
  /** The faults of each process, and of all ('*'). */
  #faults;
  /** When topics that were made anew were made last. */
  #made;

  /** @param {History} history */
  constructor({ events, log, commits }) {
    this.events = events.toSorted(byTime);
    this.#byType = groupBy(this.events, ({ type }) => type);
    this.log = log.toSorted((a, b) => a.offset - b.offset);
    this.partitions = groupBy(this.log, partitionName);
    this.records = groupBy(this.log, ({ record }) => record);
    this.#made = new Map(
      this.of('topic')
        .filter(({ step }) => step === 'made')
        .map(({ topic, at }) => [topic, at]),
    );
    this.assignments = new Map(this.of('assigned').map((event) => [assignmentName(event), event]));
    this.stock = new Set(
      this.of('start')
        .filter(({ stock }) => stock)
        .map(({ target }) => target),
    );
    this.exits = new Map(this.of('exit').map((event) => [event.process, event]));
    this.#faults = groupBy(this.#allFaults(), ({ target }) => target);
    this.commits = commits.filter((commit) => !this.#isCommitOfEarlierLife(commit)).toSorted(byTime);
    this.deliveries = this.#deliveries();
    this.deliveriesOf = groupBy(
      this.deliveries,
      (delivery) => `${delivery.group} ${partitionName(delivery)}`,
    );
    this.deliveriesAt = groupBy(this.deliveries, deliveredAt);
  }

  /** The events of a type, in order. */
  of(type) {
    return this.#byType.get(type) ?? [];
  }

  /** Whether a time belongs to a topic of the same name that was deleted, or may: not everybody hears of it at once. */
  isOfEarlierLife(topic, at) {
    return this.#made.has(topic) && at < this.#made.get(topic) + STALE_MS;
  }

  /** The same of a commit. It waits for its coordinator, where a fault has taken that away, and names no life of the topic. */
  #isCommitOfEarlierLife({ topic, at }) {
    if (!this.#made.has(topic)) return false;
    let end = this.#made.get(topic) + STALE_MS;
    for (const fault of this.#faults.get('*') ?? []) {
      if (fault.at <= end) end = Math.max(end, fault.until);
    }
    return at < end;
  }

  /** Whether a fault had hit a process, or what all depend on, between two times. */
  isTroubled(process, from, to) {
    return this.faults(process, from, to).length > 0;
  }

  /** The faults of a process, or of what all depend on, that had effects between two times. */
  faults(process, from, to) {
    return [...(this.#faults.get(process) ?? []), ...(this.#faults.get('*') ?? [])].filter(
      ({ at, until }) => at <= to && until >= from,
    );
  }

  /** Whether a group had thrown a process out between two times, or had not heard of it. */
  wasExpelled(process, from, to) {
    return this.faults(process, from, to).some(({ fault }) => fault === 'expelled');
  }

  #allFaults() {
    const ends = new Map(this.of('recovered').map(({ number, at }) => [number, at + AFTERMATH_MS]));
    const processes = new Map();
    for (const { process, member } of [...this.of('joined'), ...this.of('assigned')])
      processes.set(member, process);
    const told = this.of('fault').map(({ number, until, ...event }) => {
      return Object.assign(event, { until: until ?? ends.get(number) ?? Number.POSITIVE_INFINITY });
    });
    const joins = groupBy(this.of('joined'), ({ process }) => process);
    const expelled = this.of('expelled').flatMap(({ at, member }) => {
      const target = processes.get(member);
      // The next process of a static member has taken its place, after an orderly end.
      if (this.exits.get(target)?.at < at) return [];
      // It may not hear of it: until it joins again it goes on with what it had.
      const back = joins.get(target)?.find((joined) => joined.at > at)?.at ?? this.exits.get(target)?.at;
      const until = (back ?? Number.POSITIVE_INFINITY) + AFTERMATH_MS;
      return [{ at: at - SESSION_MS, fault: 'expelled', target, until }];
    });
    return [...told, ...expelled];
  }

  /** The calls of handlers: each with its beginning, and its end unless the process ended first. */
  #deliveries() {
    const open = new Map();
    const all = [];
    for (const event of this.events) {
      if (event.type === 'begin') {
        const { group, member, topic, partition } = this.assignments.get(assignmentName(event)) ?? {};
        const { offset } = event;
        const delivery = { group, member, topic, partition, offset, begin: event, end: undefined };
        open.set(`${assignmentName(event)} ${offset}`, delivery);
        // A topic's earlier life is not in the log, and its offsets mean other records.
        if (!this.#made.has(topic) || this.records.has(event.record)) all.push(delivery);
      } else if (event.type === 'passed') {
        const delivery = open.get(`${assignmentName(event)} ${event.offset}`);
        if (delivery !== undefined) delivery.passed = event;
      } else if (event.type === 'end') {
        const delivery = open.get(`${assignmentName(event)} ${event.offset}`);
        if (delivery !== undefined && delivery.end === undefined) delivery.end = event;
      }
    }
    for (const delivery of all) {
      const last = delivery.passed ?? delivery.end ?? this.exits.get(delivery.begin.process);
      delivery.until = last?.at ?? Number.POSITIVE_INFINITY;
    }
    return all;
  }
}

/** Names an assignment in the whole run: each process numbers its own. */
export function assignmentName({ process, assignment }) {
  return `${process} ${assignment}`;
}

/** Names a partition. */
export function partitionName({ topic, partition }) {
  return `${topic} [${partition}]`;
}

/** Names a record as a group sees it. */
export function deliveredAt({ group, offset, ...one }) {
  return `${group} ${partitionName(one)} ${offset}`;
}

/** Whether a delivery has ended for good. */
export function isDone({ end }) {
  return end !== undefined && end.outcome !== 'failed';
}

/** The events of a delivery. */
export function eventsOf({ begin, end }) {
  return end ? [begin, end] : [begin];
}

/** What `Map.groupBy` does, which Node 20 lacks. */
export function groupBy(items, keyOf) {
  const groups = new Map();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}
