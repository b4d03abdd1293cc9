import { expect, test } from 'vitest';
import { BROKERS, createTopics, untilCommitted } from '../harness/broker';
import { until } from '../harness/wait';
import { Instances, type Instance } from './instances';
import { numbered, Rig } from './rig';

const rig = new Rig('expelled');

function instancesWith(consumer: object): Instances {
  return rig.keep(
    new Instances({
      topic: rig.topic,
      milliseconds: 10,
      options: {
        client: { brokers: BROKERS },
        consumer: { groupId: rig.topic, heartbeatInterval: 500, ...consumer },
        subscribe: { fromBeginning: true },
        run: { autoCommitInterval: 100 },
      },
    }),
  );
}

const works = (instances: Instances, instance: Instance, after = 0): boolean =>
  instances.handled().some(({ name, at }) => name === instance.name && at > after);

/** Messages that were handled more than once. */
function repeated(instances: Instances): number {
  return instances.handled().length - instances.distinct();
}

test('E1 a process that stood still beyond its session goes on as a new member, and nothing is lost', async () => {
  await createTopics({ [rig.topic]: 2 });
  const instances = instancesWith({ sessionTimeout: 6000 });
  const [frozen, other] = [instances.start(), instances.start()];
  await Promise.all([frozen.listening(), other.listening()]);
  await rig.write(...numbered(0, 200), ...numbered(1, 200));
  await until('both work', () => works(instances, frozen) && works(instances, other));
  frozen.process.kill('SIGSTOP');
  await until('the other one has handled all', () => instances.distinct() === 400);
  const thawed = Date.now();
  frozen.process.kill('SIGCONT');
  // The group divides the partitions anew: what is written until then may be handled by either.
  let next = 200;
  await until('it works again', async () => {
    await rig.write(`0:${next}`, `1:${next}`);
    next += 1;
    return works(instances, frozen, thawed + 1000);
  });
  await until('all is handled', () => instances.distinct() === 2 * next);
  await untilCommitted(rig.group, rig.topic, next, 0);
  await untilCommitted(rig.group, rig.topic, next, 1);
  process.stdout.write(
    `frozen beyond the session: ${2 * next} messages, none lost, ${repeated(instances)} handled again\n`,
  );
  expect(frozen.process.exitCode).toBe(null);
  expect(frozen.statuses.map(({ status }) => status)).not.toContain('crashed');
}, 120_000);

test('E6 a revocation that meets a blocked event loop: the partition moves after drainTimeout, the process goes on', async () => {
  await createTopics({ [rig.topic]: 2 });
  const instances = instancesWith({ drainTimeout: 1000 });
  const blocked = instances.start();
  await blocked.listening();
  await rig.write(...numbered(1, 20));
  await until('it works', () => works(instances, blocked));
  await rig.write('0:block 8000', ...numbered(0, 20, 1));
  const other = instances.start();
  await other.listening();
  // Whoever gets the partition is blocked by the message in its turn.
  await until('all is handled', () => instances.distinct() === 41, 60_000);
  await untilCommitted(rig.group, rig.topic, 21, 0);
  await untilCommitted(rig.group, rig.topic, 20, 1);
  process.stdout.write(`revoked while blocked: ${repeated(instances)} of 41 handled again\n`);
  expect(blocked.process.exitCode).toBe(null);
  expect(blocked.statuses.map(({ status }) => status)).not.toContain('crashed');
  // Of the lost partition it handles what it had begun, not what it had in store.
  expect(repeated(instances)).toBeLessThan(25);
}, 120_000);
