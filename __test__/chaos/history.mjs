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
 *   assigned     { group, member, assignment, topic, partition } `assignment` numbers them within the process
 *   revoked      { assignment }
 *   begin        { assignment, offset, record, attempt }         the handler is about to be called
 *   end          { assignment, offset, outcome: 'done' | 'failed' | 'dead-lettered' }
 *
 * Requests
 *   request      { request, topic, body }
 *   reply        { request, body, last }
 *   replied      { request, outcome: 'complete' | 'error', error? }
 *
 * The run
 *   start, exit  { how: 'graceful' | 'killed' | 'crashed', code } of a process, told by its parent
 *   fault        { fault, target, until? }                       `target`: a process, a broker, or '*'
 *   healed       { }                                             no fault from here on
 *   quiet        { }                                             the run waits for nothing any more
 *   resources    { threads, descriptors, residentMiB, phase: 'before' | 'after' }
 *   topic        { topic, step: 'made' | 'deleted', partitions }
 *
 * @typedef {object} LogRecord a record as an independent reader found it at the end
 * @property {string} topic
 * @property {number} partition
 * @property {number} offset
 * @property {string} record
 * @property {string | null} key
 * @property {string} producer the process that had sent it
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
 */

const byTime = (a, b) => a.at - b.at;

/** A history with what the invariants look up, made once. */
export class Timeline {
  /** @param {History} history */
  constructor({ events, log, commits }) {
    this.events = events.toSorted(byTime);
    this.commits = commits.toSorted(byTime);
    this.log = log.toSorted((a, b) => a.offset - b.offset);
    this.#byType = groupBy(this.events, ({ type }) => type);
    this.partitions = groupBy(this.log, partitionName);
    this.records = groupBy(this.log, ({ record }) => record);
    this.assignments = new Map(this.of('assigned').map((event) => [assignmentName(event), event]));
    this.deliveries = deliveries(this);
    this.deliveriesOf = groupBy(
      this.deliveries,
      (delivery) => `${delivery.group} ${partitionName(delivery)}`,
    );
  }

  #byType;

  /** The events of a type, in order. */
  of(type) {
    return this.#byType.get(type) ?? [];
  }

  /** Whether a fault other than those that every client must hide had hit a process, or all, between two times. */
  isTroubled(process, from, to) {
    return this.faults(process, from, to).length > 0;
  }

  /** The faults of a process, or of what it depends on, that were in force between two times. */
  faults(process, from, to) {
    return this.of('fault').filter(
      ({ at, until = Number.POSITIVE_INFINITY, target }) =>
        at <= to && until >= from && (target === process || target === '*'),
    );
  }
}

/** One call of a handler: its beginning, and its end unless the process ended first. */
function deliveries(timeline) {
  const open = new Map();
  const all = [];
  const ended = new Map(timeline.of('exit').map((event) => [event.process, event]));
  for (const event of timeline.events) {
    if (event.type === 'begin') {
      const assigned = timeline.assignments.get(assignmentName(event));
      const { group, member, topic, partition } = assigned ?? {};
      const delivery = {
        group,
        member,
        topic,
        partition,
        begin: event,
        end: undefined,
        offset: event.offset,
      };
      all.push(delivery);
      open.set(`${assignmentName(event)} ${event.offset}`, delivery);
    } else if (event.type === 'end') {
      const delivery = open.get(`${assignmentName(event)} ${event.offset}`);
      if (delivery !== undefined && delivery.end === undefined) delivery.end = event;
    }
  }
  for (const delivery of all) {
    delivery.until = (delivery.end ?? ended.get(delivery.begin.process))?.at ?? Number.POSITIVE_INFINITY;
  }
  return all;
}

/** Names an assignment in the whole run: each process numbers its own. */
export function assignmentName({ process, assignment }) {
  return `${process} ${assignment}`;
}

/** Names a partition. */
export function partitionName({ topic, partition }) {
  return `${topic} [${partition}]`;
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
