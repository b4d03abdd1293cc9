/** Carries the faults of a schedule out on the processes and brokers of a run. */
import { setTimeout as later } from 'node:timers/promises';
import { Member } from './members.mjs';
import { GROWING, MOVING, RENEWED } from './population.mjs';

/** Roles that make the requests whose answers are held back. */
const ROLES = {
  Produce: ['producer', 'client', 'server', 'transformer'],
  EndTxn: ['transactional', 'transformer'],
  TxnOffsetCommit: ['transformer'],
  OffsetCommit: ['server'],
  ConsumerGroupHeartbeat: ['KIP-848'],
};
const GROUPED = ['server', 'client', 'transformer'];

export class Faults {
  #context;
  #started = 0;
  #running = [];
  #names = new Map();
  #numbers = 0;
  #downBroker = -1;
  #isHealing = false;
  #isOver = false;
  members = [];

  /** @param {object} context cluster, admin, population, prefix, folder, seed, recorder, say */
  constructor(context) {
    this.#context = context;
  }

  async startAll() {
    for (const kind of this.#context.population.processes) {
      for (let index = 1; index <= kind.count; index++)
        await this.#start({ ...kind, slot: `${kind.stem}-${index}` });
    }
    await Promise.all(this.members.map((member) => member.ready));
    this.#started = Date.now();
  }

  /** Resolves so many ms after the start. */
  at(milliseconds) {
    return later(Math.max(0, this.#started + milliseconds - Date.now()));
  }

  /** Begins a fault; it ends by itself. */
  begin(fault) {
    this.#running.push(this.#try(fault));
  }

  async #try(fault) {
    try {
      await this.#carryOut(fault);
    } catch (error) {
      if (!this.#isOver) this.#context.say(`    ${fault.kind} did not work: ${error.message}`);
    }
  }

  /** Ends what goes on. */
  async heal() {
    this.#isHealing = true;
    await Promise.all(this.#running);
  }

  /** Everything that was started works. */
  async settled() {
    await Promise.allSettled(this.running.map((member) => member.ready));
  }

  /** Asks processes to end. */
  async leave(which) {
    await Promise.all(this.#members(which).map((member) => member.leave()));
  }

  /** Ends all processes at once; none is started any more. */
  async killAll() {
    this.#isOver = true;
    await Promise.all(this.running.map((member) => member.kill()));
  }

  /** The processes that run. */
  get running() {
    return this.members.filter(({ isRunning }) => isRunning);
  }

  #members(which) {
    return this.running.filter(({ description }) => which(description));
  }

  async #start(kind) {
    if (this.#isOver) throw new Error('the run is over');
    const number = (this.#names.get(kind.stem) ?? 0) + 1;
    this.#names.set(kind.stem, number);
    const name = `${kind.stem}-${number}`;
    const { cluster, folder, seed, recorder } = this.#context;
    const description = { ...kind, slot: kind.slot ?? name, name };
    const member = await Member.start(description, { brokers: cluster.brokers, folder, seed, recorder });
    this.members.push(member);
    if (this.#isOver) await member.kill();
    return member;
  }

  /** Takes a process's place. */
  #startAgain({ description }) {
    return this.#start(description);
  }

  /** Notes a fault, and its end when the work has ended it. */
  async #during(fault, target, work) {
    const { recorder } = this.#context;
    const number = ++this.#numbers;
    recorder.note('fault', { number, fault, target });
    try {
      await work();
    } finally {
      recorder.note('recovered', { number });
    }
  }

  #choose(pick, which = () => true) {
    const able = this.#members(which);
    if (able.length === 0) throw new Error('nobody is there');
    return able[Math.floor(pick * able.length)];
  }

  #carryOut(fault) {
    const { kind, pick, ms, broker } = fault;
    switch (kind) {
      case 'kill member':
        return this.#killMember(this.#choose(pick));
      case 'stop member':
        return this.#stopMember(this.#choose(pick), ms);
      case 'restart member':
        return this.#restartMember(this.#choose(pick));
      case 'rolling restart':
        return this.#rollingRestart(this.#choose(pick, ({ role }) => role === 'server').description);
      case 'join and leave': {
        const dynamic = ({ role, isStatic }) => GROUPED.includes(role) && !isStatic;
        return this.#joinAndLeave(this.#choose(pick, dynamic), ms);
      }
      case 'kill broker':
        return this.#awayBroker(fault, (node) => node.kill('SIGKILL'));
      case 'stop broker':
        return this.#awayBroker(fault, (node) => node.stop());
      case 'freeze broker':
        return this.#freezeBroker(broker, ms);
      case 'move leaders':
        return this.#moveLeaders(fault.shift);
      case 'add partition':
        return this.#addPartition();
      case 'make topic anew':
        return this.#makeAnew();
      default:
        return this.#disturb(fault);
    }
  }

  async #killMember(member) {
    this.#context.recorder.note('fault', { number: ++this.#numbers, fault: 'kill', target: member.name });
    await member.kill();
    await this.#startAgain(member);
  }

  #stopMember(member, ms) {
    return this.#during('stop', member.name, async () => {
      member.signal('SIGSTOP');
      await later(ms);
      member.signal('SIGCONT');
    });
  }

  /** Orderly: excuses nothing. */
  async #restartMember(member) {
    await member.leave();
    await this.#startAgain(member);
  }

  async #rollingRestart({ group }) {
    for (const member of this.#members((description) => description.group === group)) {
      await member.leave();
      const next = await this.#startAgain(member);
      await this.#worksOrEnds(next);
    }
  }

  /** Other faults may end it before it works. */
  #worksOrEnds(member) {
    return Promise.race([member.ready, member.ended]);
  }

  async #joinAndLeave({ description }, ms) {
    const more = await this.#start({ ...description, slot: undefined });
    await this.#worksOrEnds(more);
    await later(ms);
    await more.leave();
  }

  /** A cluster without most of its brokers serves nobody: one at a time. */
  async #ofBroker(fault, broker, work) {
    if (this.#downBroker >= 0 || this.#isHealing) return;
    this.#downBroker = broker;
    try {
      await this.#during(fault, '*', () => work(this.#context.cluster.node(broker + 1)));
    } finally {
      this.#downBroker = -1;
    }
  }

  #awayBroker({ kind, broker, ms }, takeAway) {
    return this.#ofBroker(kind, broker, async (node) => {
      await takeAway(node);
      await later(ms);
      await node.restart();
    });
  }

  #freezeBroker(broker, ms) {
    return this.#ofBroker('freeze broker', broker, async (node) => {
      await node.kill('SIGSTOP');
      await later(ms);
      await node.kill('SIGCONT');
    });
  }

  async #moveLeaders(shift) {
    const { admin, cluster } = this.#context;
    const names = MOVING.map((topic) => this.#topic(topic)).filter(Boolean);
    const { topics } = await admin.fetchTopicMetadata({ topics: names });
    const ids = cluster.brokers.map((_, index) => index + 1);
    await admin.alterPartitionReassignments({
      topics: topics.map(({ name: topic, partitions }) => ({
        topic,
        partitionAssignment: partitions.map(({ partitionId: partition }) => ({
          partition,
          replicas: ids.map((_, index) => ids[(partition + shift + index) % ids.length]),
        })),
      })),
    });
  }

  async #addPartition() {
    const topic = this.#topic(GROWING);
    const { admin } = this.#context;
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    const count = topics[0].partitions.length + 1;
    await admin.createPartitions({ topicPartitions: [{ topic, count }] });
  }

  async #makeAnew() {
    const { admin, recorder, population } = this.#context;
    const topic = this.#topic(RENEWED);
    const numPartitions = population.topics[topic];
    recorder.note('topic', { topic, step: 'delete' });
    // A request that has timed out may be carried out all the same: until there is an answer the topic's end is not known.
    for (;;) {
      try {
        await admin.deleteTopics({ topics: [topic] });
        break;
      } catch (error) {
        if (error.type === 'UNKNOWN_TOPIC_OR_PARTITION') break;
        this.#context.say(`    ${topic}: ${error.message}`);
        await later(200);
      }
    }
    // Where another broker has not heard of it yet, its creation is refused.
    for (;;) {
      try {
        await admin.createTopics({ topics: [{ topic, numPartitions }] });
        break;
      } catch (error) {
        if (error.type !== 'TOPIC_ALREADY_EXISTS') this.#context.say(`    ${topic}: ${error.message}`);
        await later(200);
      }
    }
    recorder.note('topic', { topic, step: 'made', partitions: numPartitions });
  }

  #topic(name) {
    const topic = `${this.#context.prefix}.${name}`;
    return topic in this.#context.population.topics ? topic : undefined;
  }

  #disturb({ pick, network, ms, broker }) {
    const member = this.#choose(pick, (description) => isAffected(description, network));
    // A third of them concern all connections, the others those to one broker.
    const which = broker === 0 || network.kind === 'hold' ? undefined : broker;
    return this.#during(`network: ${Object.values(network).join(' ')}`, member.name, async () => {
      member.proxies.disturb(network, which);
      await later(ms);
      member.proxies.disturb(undefined, which);
    });
  }
}

function isAffected({ role, transactional, isKip848 }, { kind, api }) {
  if (kind !== 'hold') return true;
  const roles = ROLES[api] ?? GROUPED;
  return (
    roles.includes(role) ||
    (transactional === true && roles.includes('transactional')) ||
    (isKip848 === true && roles.includes('KIP-848'))
  );
}
