import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { optionsFor } from '../harness/apps';
import { closeBroker, createTopics, rawProducer, unique, untilCommitted } from '../harness/broker';
import { until } from '../harness/wait';

afterAll(closeBroker);

test('under register the same keys are simply there', async () => {
  const topic = unique('registered');
  await createTopics({ [topic]: 1, [`${topic}-batch`]: 1 });
  const options = { ...optionsFor(topic), subscribe: { fromBeginning: true } };
  const child = fork(
    fileURLToPath(new URL('registered.mjs', import.meta.url)),
    [JSON.stringify({ topic, options })],
    {
      execArgv: ['--import', 'nestjs-kafka-native/register'],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    },
  );
  const told: any[] = [];
  let said = '';
  for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (text) => (said += String(text)));
  child.on('message', (message) => told.push(message));
  try {
    await until('it listens', () => told.some(({ listening }) => listening));
    const producer = await rawProducer();
    await producer.send({
      topic,
      messages: ['Created', 'Deleted', 'Moved', 'Created'].map((type, n) => ({
        value: `v${n}`,
        headers: { type },
      })),
    });
    await producer.send({ topic: `${topic}-batch`, messages: [{ value: 'a' }, { value: 'b' }] });
    await untilCommitted(`${topic}-server`, topic, 4);
    await untilCommitted(`${topic}-server`, `${topic}-batch`, 2);
    expect(told.filter(({ created }) => created)).toEqual([
      { created: 'v0', acked: true },
      { created: 'v3', acked: true },
    ]);
    expect(told.filter(({ moved }) => moved)).toEqual([{ moved: 'v2', acked: true }]);
    expect(told.filter(({ batch }) => batch)).toEqual([{ batch: ['a', 'b'] }]);
    const ignored = said.split('\n').filter((line) => line.includes('Ignored, as by'));
    expect(ignored).toHaveLength(1);
    expect(ignored[0]).toMatch(
      /of Events\.created\(\) of "registered-.*", kafka\.concurrency\.colour \(known options are .*\); kafka\.handlerTimeOut \(did you mean .*handlerTimeout/,
    );
    child.send({});
    await once(child, 'exit');
  } finally {
    child.kill('SIGKILL');
  }
});
