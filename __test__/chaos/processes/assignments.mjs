/** The partitions that a member has, as its consumer's events tell, and the number of each of its assignments. */
import { recorder, settings } from './process.mjs';

export class Assignments {
  #isIncremental;
  #count = 0;
  /** The present assignment of each partition. */
  #present = new Map();

  /** @param {boolean} isIncremental whether partitions that stay in a rebalance are worked on meanwhile */
  constructor(isIncremental) {
    this.#isIncremental = isIncremental;
  }

  /** Follows what a consumer of kafkajs's shape tells. */
  listen(consumer) {
    const { events } = consumer;
    consumer.on(events.GROUP_JOIN, ({ payload }) => this.#joined(payload));
    consumer.on(events.CRASH, ({ payload: { error, restart } }) => {
      recorder.note('crash', { error: String(error), restart });
      this.#present.clear();
    });
  }

  /** The number under which a partition's records are handled at present. */
  of(topic, partition) {
    return this.#present.get(`${topic} ${partition}`) ?? this.#begin(topic, partition, settings.name);
  }

  #joined({ memberId, memberAssignment }) {
    recorder.note('joined', { group: settings.group, member: memberId, partitions: memberAssignment });
    const before = this.#present;
    this.#present = new Map();
    for (const [topic, partitions] of Object.entries(memberAssignment)) {
      for (const partition of partitions) {
        const kept = this.#isIncremental ? before.get(`${topic} ${partition}`) : undefined;
        if (kept === undefined) this.#begin(topic, partition, memberId);
        else this.#present.set(`${topic} ${partition}`, kept);
      }
    }
  }

  #begin(topic, partition, member) {
    const assignment = ++this.#count;
    this.#present.set(`${topic} ${partition}`, assignment);
    recorder.note('assigned', { group: settings.group, member, assignment, topic, partition });
    return assignment;
  }
}
