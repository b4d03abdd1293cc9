import { Controller } from '@nestjs/common';
import { KafkaHeaders, MessagePattern } from '@nestjs/microservices';
import { range, type Observable } from 'rxjs';
import { afterAll, expect, test } from 'vitest';
import { optionsFor, startServer } from '../harness/apps';
import { closeBroker, createTopics, endOffsets, rawProducer, unique } from '../harness/broker';
import type { Kind } from '../harness/transports';
import { Gate, within } from '../harness/wait';

afterAll(closeBroker);

/** So many that they are still on their way when the handler has long ended. */
const PARTS = 1000;

/** How many replies of one request lie in the reply topic after its server was closed when the handler had begun. */
async function repliesOfClosed(kind: Kind): Promise<number> {
  const topic = unique('closing');
  const replyTopic = `${topic}.reply`;
  await createTopics({ [topic]: 1, [replyTopic]: 1 });
  const begun = new Gate();

  @Controller()
  class Parts {
    @MessagePattern(topic)
    parts(): Observable<number> {
      begun.open();
      return range(PARTS);
    }
  }
  const server = await startServer(kind, [Parts], optionsFor(topic));
  const producer = await rawProducer();
  const headers = {
    [KafkaHeaders.CORRELATION_ID]: 'one',
    [KafkaHeaders.REPLY_TOPIC]: replyTopic,
    [KafkaHeaders.REPLY_PARTITION]: '0',
  };
  await producer.send({ topic, messages: [{ value: 'go', headers }] });
  await within('the handler', begun.pass());
  await within('the server to close', server.close(), 30_000);
  return (await endOffsets(replyTopic))[0] as number;
}

test('a server that is closed sends the replies of its handlers first', async () => {
  expect(await repliesOfClosed('native')).toBe(PARTS);
});

// What docs/migration.md says of it, and why the migration of servers lets it lose what is on its way.
test('a stock server that is closed does not', async () => {
  expect(await repliesOfClosed('stock')).toBeLessThan(PARTS);
});
