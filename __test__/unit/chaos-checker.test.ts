/** The judge of chaos runs, judged: each invariant finds the history that breaks it, and nothing in one that is well. */
import { execFile } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const { expulsions } = await import(new URL('../chaos/broker-log.mjs', import.meta.url).href);
const { makeSchedule } = await import(new URL('../chaos/schedule.mjs', import.meta.url).href);
const { judge, INVARIANTS } = await import(new URL('../chaos/checker.mjs', import.meta.url).href);

type Event = Record<string, unknown> & { at: number };
interface Made {
  events: Event[];
  log: Record<string, unknown>[];
  commits: Record<string, unknown>[];
}

const SERVER = 'server-1';
const RIVAL = 'server-2';
const TRANSFORMS = [{ input: 't', output: 'out' }];

function send(at: number, record: string, more: object = {}): Event {
  return { at, process: 'producer', type: 'send', send: record, topic: 't', key: null, record, ...more };
}

function acknowledged(at: number, record: string, offset: number): Event {
  const type = 'sent';
  return { at, process: 'producer', type, send: record, outcome: 'acknowledged', partition: 0, offset };
}

function written(record: string, offset: number, topic = 't'): Record<string, unknown> {
  return { topic, partition: 0, offset, record, key: null };
}

/** What `TRANSFORMS` has made of records. */
function transformed(...records: string[]): Record<string, unknown>[] {
  return records.map((record, offset) => written(record, offset, 'out'));
}

function assigned(at: number, process = SERVER, assignment = 1): Event {
  const member = `${process}-member`;
  return { at, process, type: 'assigned', group: 'g', member, assignment, topic: 't', partition: 0 };
}

function begin(at: number, offset: number, { process = SERVER, attempt = 1, assignment = 1 } = {}): Event {
  return { at, process, type: 'begin', assignment, offset, record: `r${offset}`, attempt };
}

function end(at: number, offset: number, outcome = 'done', process = SERVER): Event {
  return { at, process, type: 'end', assignment: 1, offset, outcome };
}

function commit(at: number, offset: number): Record<string, unknown> {
  return { at, group: 'g', topic: 't', partition: 0, offset };
}

function fault(at: number, target: string, until?: number): Event {
  return { at, process: 'run', type: 'fault', fault: 'kill', target, until };
}

/** Three records, sent, handled in order and committed; a request and its two replies. */
function well(): Made {
  return {
    events: [
      ...[0, 1, 2].flatMap((offset) => [
        send(offset, `r${offset}`),
        acknowledged(offset + 0.5, `r${offset}`, offset),
      ]),
      assigned(10),
      ...[0, 1, 2].flatMap((offset) => [begin(20 + offset * 10, offset), end(25 + offset * 10, offset)]),
      { at: 50, process: 'client', type: 'request', request: 1, topic: 'ask' },
      reply(51, 1, 1),
      reply(52, 1, 2),
      { at: 53, process: 'client', type: 'replied', request: 1, outcome: 'complete' },
      { at: 60, process: 'run', type: 'healed' },
      { at: 70, process: SERVER, type: 'resources', threads: 10, descriptors: 30, residentMiB: 90 },
      { at: 80, process: SERVER, type: 'resources', threads: 10, descriptors: 30, residentMiB: 95 },
      { at: 90, process: SERVER, type: 'exit', how: 'graceful', code: 0 },
    ],
    log: [...transformed('r0', 'r1', 'r2'), written('r0', 0), written('r1', 1), written('r2', 2)],
    commits: [commit(36, 2), commit(46, 3)],
  };
}

function reply(at: number, request: number, number: number, record = request): Event {
  return { at, process: 'client', type: 'reply', request, body: { record, number, of: 2 } };
}

function judged(change: (made: Made) => void): string[] {
  const made = well();
  change(made);
  return judge(made, { transforms: TRANSFORMS }).map(
    ({ invariant, message }: any) => `${invariant}: ${message}`,
  );
}

function without(made: Made, unwanted: (event: Event) => boolean): void {
  made.events = made.events.filter((event) => !unwanted(event));
}

test('a history in which all is well is found well', () => {
  expect(judged(() => undefined)).toEqual([]);
});

/** One change for each way to break an invariant, and what is found. */
const BROKEN: [invariant: string, what: string, change: (made: Made) => void, found: RegExp][] = [
  [
    'lost write',
    'an acknowledged record is missing',
    (h) => h.log.pop(),
    /r2 was acknowledged in t \[0\] at 2/,
  ],
  [
    'lost write',
    'a record is elsewhere than was acknowledged',
    (h) => Object.assign(h.events[1]!, { offset: 7 }),
    /r0 was acknowledged in t \[0\] at 7 and is not there/,
  ],
  [
    'lost write',
    'a refused record was written',
    (h) => Object.assign(h.events[1]!, { outcome: 'refused' }),
    /r0 was refused and is in the log/,
  ],
  [
    'lost write',
    'a record of an aborted transaction is visible',
    (h) => {
      Object.assign(h.events[0]!, { transaction: 'x' });
      h.events.push({
        at: 9,
        process: 'producer',
        type: 'transaction',
        transaction: 'x',
        outcome: 'aborted',
      });
    },
    /r0 was part of an aborted transaction/,
  ],
  [
    'at least once',
    'a record was never handled',
    (h) => {
      without(h, ({ type, offset }) => offset === 2 && (type === 'begin' || type === 'end'));
      h.commits.pop();
    },
    /r2, t \[0\] at 2, was never handled by g/,
  ],
  [
    'exactly once',
    'a record was not written',
    (h) => {
      h.log.splice(0, 3, ...transformed('r0', 'r2'));
    },
    /r1, t \[0\] at 1, is not in out/,
  ],
  [
    'exactly once',
    'a record was written twice',
    (h) => {
      h.log.splice(0, 3, ...transformed('r0', 'r1', 'r1', 'r2'));
    },
    /r1, t \[0\] at 1, is 2 times in out/,
  ],
  [
    'exactly once',
    'records were written in another order',
    (h) => {
      h.log.splice(0, 3, ...transformed('r0', 'r2', 'r1'));
    },
    /out \[0\]: r1 stands behind r2, which comes later in t \[0\]/,
  ],
  [
    'exactly once',
    'something was written that was not read',
    (h) => {
      h.log.splice(0, 3, ...transformed('r0', 'r1', 'r2', 'r3'));
    },
    /r3 in out \[0\] was read by nobody/,
  ],
  [
    'commit safety',
    'an offset was committed while its record was in hand',
    (h) => h.commits.unshift(commit(32, 2)),
    /g committed 2 of t \[0\] before 1 had ended/,
  ],
  [
    'mutual exclusion',
    'two members are at one partition',
    (h) => h.events.push(assigned(11, RIVAL), begin(22, 0, { process: RIVAL }), end(24, 0, 'done', RIVAL)),
    /g t \[0\]: 0 was begun by server-2-member while server-1-member was at 0/,
  ],
  [
    'order and no gap',
    'a record is left out',
    (h) => {
      h.events.push(assigned(100, RIVAL), begin(101, 1, { process: RIVAL }), end(102, 1, 'done', RIVAL));
      without(h, ({ offset, process }) => offset === 1 && process === SERVER);
    },
    /t \[0\]: 2 came after 0, where 1 was next/,
  ],
  [
    'order and no gap',
    'records come out of order',
    (h) => {
      for (const event of h.events) {
        if (event.process !== SERVER || !['begin', 'end'].includes(String(event['type']))) continue;
        if (event['offset'] === 1) Object.assign(event, { at: event.at + 20 });
      }
      h.commits = [commit(90, 3)];
    },
    /t \[0\]: 2 came after 0, where 1 was next/,
  ],
  [
    'bounded repetition',
    'a record comes again long after a fault was over',
    (h) =>
      h.events.push(
        { ...fault(10_000, SERVER), number: 1 },
        { at: 10_500, process: 'run', type: 'recovered', number: 1 },
        begin(20_000, 2),
        end(20_001, 2),
        assigned(20_100, RIVAL),
        begin(20_101, 2, { process: RIVAL }),
        end(20_102, 2, 'done', RIVAL),
      ),
    /g t \[0\] 2 was handled again without a reason/,
  ],
  [
    'bounded repetition',
    'a record comes again after a graceful stop',
    (h) => h.events.push(assigned(100, RIVAL), begin(101, 2, { process: RIVAL }), end(102, 2, 'done', RIVAL)),
    /g t \[0\] 2 was handled again without a reason/,
  ],
  [
    'producer order and duplicates',
    'a record is there twice',
    (h) => {
      h.log.push(written('r2', 3));
      h.events.push(begin(47, 3), end(48, 3));
    },
    /r2 is in t 2 times/,
  ],
  [
    'producer order and duplicates',
    'records stand in another order than they were sent',
    (h) => {
      h.log = [written('r1', 0), written('r0', 1), written('r2', 2)];
      Object.assign(h.events[1]!, { offset: 1 });
      Object.assign(h.events[3]!, { offset: 0 });
    },
    /t \[0\]: r0 stands behind r1, which producer had sent later/,
  ],
  [
    'replies',
    'a request gets the reply to another one',
    (h) => h.events.push(reply(52.5, 1, 3, 7)),
    /reply to another/,
  ],
  [
    'replies',
    'replies overtake each other',
    (h) => h.events.push(reply(52.5, 1, 1)),
    /reply 1 to 1 came behind 2/,
  ],
  [
    'replies',
    'a stream of replies lacks one',
    (h) => without(h, ({ type, at }) => type === 'reply' && at === 52),
    /request 1 was complete without all of its replies/,
  ],
  [
    'replies',
    'a request never ends',
    (h) => without(h, ({ type }) => type === 'replied'),
    /request 1 never ended/,
  ],
  [
    'replies',
    'a request ends twice',
    (h) => h.events.push({ at: 54, process: 'client', type: 'replied', request: 1, outcome: 'complete' }),
    /request 1 ended 2 times/,
  ],
  [
    'replies',
    'a request fails without a fault',
    (h) =>
      h.events.push(
        { at: 55, process: 'client', type: 'request', request: 2, topic: 'ask' },
        {
          at: 56,
          process: 'client',
          type: 'replied',
          request: 2,
          outcome: 'error',
          error: 'KafkaReplyLostError',
        },
      ),
    /request 2 ended with KafkaReplyLostError without a reason/,
  ],
  [
    'attempts and dead letters',
    'attempts do not count up',
    (h) => {
      for (const event of h.events)
        if (event['type'] === 'end' && event['offset'] === 0) event['outcome'] = 'failed';
      h.events.push(begin(26, 0, { attempt: 1 }), end(27, 0));
    },
    /attempt 1 followed attempt 1/,
  ],
  [
    'attempts and dead letters',
    'a record is put aside too early',
    (h) => {
      for (const event of h.events)
        if (event['type'] === 'end' && event['offset'] === 0) event['outcome'] = 'dead-lettered';
      h.log.push(written('r0', 0, 'g.dead'));
    },
    /was put aside after attempt 1 of 3/,
  ],
  [
    'attempts and dead letters',
    'a record is put aside and nowhere',
    (h) => {
      for (const event of h.events) {
        if (event['offset'] !== 0) continue;
        if (event['type'] === 'begin') event['attempt'] = 3;
        if (event['type'] === 'end') event['outcome'] = 'dead-lettered';
      }
    },
    /was put aside and is in no dead-letter topic/,
  ],
  [
    'liveness after healing',
    'a partition stands still',
    (h) => {
      h.log.push(written('r3', 3));
      h.events.push(send(61, 'r3'), acknowledged(62, 'r3', 3), begin(40_000, 3), end(40_001, 3));
    },
    /g: t \[0\] did not go on within 30 s of the last fault/,
  ],
  [
    'liveness after healing',
    'a process does not end',
    (h) => Object.assign(h.events.at(-1)!, { how: 'hung' }),
    /server-1 was asked to end and did not/,
  ],
  [
    'liveness after healing',
    'a process ends by itself',
    (h) => Object.assign(h.events.at(-1)!, { how: 'crashed', code: 70 }),
    /server-1 ended without being asked/,
  ],
  [
    'resources',
    'threads are left',
    (h) => Object.assign(h.events.at(-2)!, { threads: 14 }),
    /server-1 kept threads: 10 before, 14 after/,
  ],
];

test.each(BROKEN)('%s: %s', (invariant, _, change, found) => {
  // What breaks one invariant may break others, and the same one in more places.
  const violation = judged(change).find((one) => one.startsWith(`${invariant}: `));
  expect(violation).toMatch(found);
});

test('there is a broken history for every invariant', () => {
  const names = INVARIANTS.map(({ name }: any) => name);
  expect([...new Set(BROKEN.map(([invariant]) => invariant))].toSorted()).toEqual(names.toSorted());
});

test('what a fault explains is no violation', () => {
  const excused = judged((made) => {
    // Killed at the last record, which the next owner gets again.
    made.events = made.events.filter(({ type, process }) => process !== SERVER || type !== 'exit');
    made.events.push(fault(48, SERVER), { at: 48, process: SERVER, type: 'exit', how: 'killed', code: null });
    made.events.push(assigned(55, RIVAL), begin(56, 2, { process: RIVAL }), end(57, 2, 'done', RIVAL));
    made.commits.pop();
    // A reply was lost meanwhile, with the process that answers.
    made.events.push({ at: 1, process: 'run', type: 'start', target: SERVER, group: 'g', role: 'server' });
    made.events.push(
      { at: 49, process: 'client', type: 'request', request: 2, topic: 'ask' },
      {
        at: 56,
        process: 'client',
        type: 'replied',
        request: 2,
        outcome: 'error',
        error: 'KafkaReplyTimeoutError',
      },
    );
    // A send whose fate nobody knows may be there or not.
    made.events.push(send(58, 'r9'), {
      at: 59,
      process: 'producer',
      type: 'sent',
      send: 'r9',
      outcome: 'unknown',
    });
  });
  expect(excused).toEqual([]);
});

/** A topic was made anew, and then an offset of the old one is committed. */
function committedLate(made: Made): void {
  made.events.push({ at: -6000, process: 'run', type: 'topic', topic: 't', step: 'made' });
  made.commits.unshift(commit(32, 2));
}

test('an offset of a topic that was made anew may be committed as long as its coordinator was away', () => {
  expect(judged(committedLate)).toEqual([expect.stringMatching(/^commit safety: g committed 2 of t/)]);
  const away = (until: number) => (h: Made) => {
    committedLate(h);
    h.events.push(fault(-7000, '*', until));
  };
  expect(judged(away(40))).toEqual([]);
  expect(judged(away(30))).toHaveLength(1);
});

/** The group has thrown a member out, and another one handles a record again. */
function handledAgain(expelled: number): (made: Made) => void {
  return ({ events }) =>
    events.push(
      { at: 10, process: SERVER, type: 'joined', group: 'g', member: `${SERVER}-member` },
      { at: expelled, process: 'run', type: 'expelled', member: `${SERVER}-member` },
      assigned(100, RIVAL),
      begin(101, 2, { process: RIVAL }),
      end(102, 2, 'done', RIVAL),
    );
}

test('a member that its group has thrown out is excused, and not a process that had ended before', () => {
  expect(judged(handledAgain(88))).toEqual([]);
  expect(judged(handledAgain(95))).toEqual([expect.stringMatching(/^bounded repetition: /)]);
});

test('whom groups have thrown out is read from the logs of brokers', () => {
  const file = join(mkdtempSync(join(tmpdir(), 'broker-log-')), 'server.log');
  const lines = [
    'Member a-1 in group g has failed, removing it from the group.',
    'Static member with groupInstanceId=b and unknown member id joins group g in Stable state. ' +
      'Replacing previously mapped member b-1 with this groupInstanceId.',
    'Static member with groupInstanceId=c and unknown member id joins group g in Stable state. ' +
      'Created a new member id c-1 for this member and added to the group.',
  ];
  writeFileSync(file, lines.map((line) => `2026-01-02 03:04:05,678 INFO ${line}\n`).join(''));
  const at = new Date('2026-01-02T03:04:05.678').getTime();
  expect(expulsions([file])).toEqual(['a-1', 'b-1'].map((members) => ({ at, members })));
});

test('a violation shows the events that it is made of', () => {
  const made = well();
  made.commits.unshift(commit(32, 2));
  const [violation] = judge(made);
  expect(violation.shown).toEqual([written('r1', 1), commit(32, 2), begin(30, 1), end(35, 1)]);
});

/** A folder as a run leaves it. */
function kept(made: Made): string {
  const folder = mkdtempSync(join(tmpdir(), 'chaos-'));
  const run = { seed: 7, minutes: 2, stock: false, part: false, prefix: 'run1' };
  writeFileSync(join(folder, 'run.json'), JSON.stringify(run));
  writeFileSync(join(folder, 'cluster.json'), JSON.stringify({ log: made.log, commits: made.commits }));
  writeFileSync(join(folder, 'all.jsonl'), made.events.map((event) => `${JSON.stringify(event)}\n`).join(''));
  return folder;
}

/** What the command says of a folder. */
function judgeFolder(folder: string): Promise<{ code: number; output: string }> {
  const command = fileURLToPath(new URL('../chaos/command.mjs', import.meta.url));
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [command, '--judge', folder], (_, stdout, stderr) =>
      resolve({ code: child.exitCode ?? -1, output: stdout + stderr }),
    );
  });
}

test('a broken history is told with the events that show it, the seed, and how to run it once more', async () => {
  const broken = well();
  broken.events.push(fault(31, SERVER, 33));
  broken.commits.unshift(commit(32, 2));
  // The run's own topics are not in it: nothing is transformed.
  broken.log = broken.log.filter(({ topic }) => topic === 't');
  const folder = kept(broken);
  const { code, output } = await judgeFolder(folder);
  expect(code).toBe(1);
  const told = output.split('\n').map((line) => line.replace(/^\[ *[\d.]+ s\] /, '').trimEnd());
  const from = told.findIndex((line) => line.startsWith('✗ commit safety: '));
  expect(told.slice(from, from + 6)).toEqual([
    '✗ commit safety: g committed 2 of t [0] before 1 had ended',
    expect.stringMatching(/log .* offset 1, record r1, key null$/),
    expect.stringMatching(/0\.030 s {2}server-1 +begin +assignment 1, offset 1, record r1, attempt 1$/),
    expect.stringMatching(/0\.031 s {2}run +fault +fault kill, target server-1, until 33$/),
    expect.stringMatching(/0\.032 s {2}log +group g, topic t, partition 0, offset 2$/),
    expect.stringMatching(/0\.035 s {2}server-1 +end +assignment 1, offset 1, outcome done$/),
  ]);
  expect(output).toContain('✗ seed 7: 1 violations (commit safety: 1)');
  expect(output).toContain(`once more: npm run test:chaos -- --replay `);
  expect(await judgeFolder(kept({ ...well(), log: broken.log }))).toMatchObject({ code: 0 });
}, 60_000);

test('a seed makes the same faults each time, and another seed others', () => {
  expect(makeSchedule(7, 120_000)).toEqual(makeSchedule(7, 120_000));
  expect(makeSchedule(7, 120_000).length).toBeGreaterThan(20);
  expect(makeSchedule(7, 120_000)).not.toEqual(makeSchedule(8, 120_000));
});
