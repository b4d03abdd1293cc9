import { Controller, Logger, type Type } from '@nestjs/common';
import { Ctx, KafkaRetriableException, MessagePattern, Payload } from '@nestjs/microservices';
import { kafkaHandler, type KafkaContext } from 'nestjs-kafka-native';
import { firstValueFrom } from 'rxjs';
import { describe, expect, test, vi } from 'vitest';
import { optionsFor, startClient } from '../harness/apps';
import { createTopics } from '../harness/broker';
import { logs } from '../harness/logs';
import { RetryRig } from './rig';

// Requests in retry topics keep their return address.

const rig = new RetryRig('asked');

function prices(fails: (attempt: number) => boolean): Type {
  @Controller()
  class Prices {
    @MessagePattern(rig.topic)
    price(@Payload() data: string, @Ctx() context: KafkaContext): string {
      if (fails(context.getDeliveryAttempt())) throw new KafkaRetriableException('not now');
      return `${data}:${context.getDeliveryAttempt()}`;
    }
  }
  return Prices;
}

describe('requests', () => {
  test('are answered late, and with an error when they are given up', async () => {
    await createTopics({ [rig.topic]: 1, [`${rig.topic}.reply`]: 1, [`${rig.topic}.DLT`]: 1 });
    await rig.retrying([prices((attempt) => attempt < 3)], [100, 200]);
    const client = await startClient('native', [rig.topic], optionsFor(`${rig.topic}-c`));
    rig.keep(client);
    expect(await firstValueFrom(client.send(rig.topic, 'tea'))).toBe('tea:3');
  });

  test('that are given up get the error', async () => {
    await createTopics({ [rig.topic]: 1, [`${rig.topic}.reply`]: 1, [`${rig.topic}.DLT`]: 1 });
    await rig.retrying([prices(() => true)], [100]);
    const client = await startClient('native', [rig.topic], optionsFor(`${rig.topic}-c`));
    rig.keep(client);
    await expect(firstValueFrom(client.send(rig.topic, 'tea'))).rejects.toMatchObject({ message: 'not now' });
  });

  test('of clients that wait shorter than the delays are warned of, whoever starts first', async () => {
    await createTopics({ [rig.topic]: 1, [`${rig.topic}.reply`]: 1 });
    const impatient = { ...optionsFor(`${rig.topic}-c`), replyTimeout: 150 };
    const warning =
      'may be answered 300 ms late (deadLetter.retryTopics.delays), and a client gives it up after 150 ms';
    rig.keep(await startClient('native', [rig.topic], impatient));
    await rig.retrying([prices(() => false)], [100, 200]);
    expect(logs.matching('warn', warning)).toHaveLength(1);
    const warn = vi.spyOn(Logger.prototype, 'warn');
    rig.keep(
      await startClient('native', [], { ...optionsFor(`${rig.topic}-d`), replyTimeout: 301 } as never),
    );
    expect(warn).not.toHaveBeenCalled();
    rig.keep(
      await startClient('native', [], { ...optionsFor(`${rig.topic}-e`), replyTimeout: 150 } as never),
    );
    expect(warn).toHaveBeenCalledWith(expect.stringContaining(warning));
    warn.mockRestore();
  });

  test('of one handler by header are warned of too', async () => {
    await createTopics({ [rig.topic]: 1, [`${rig.topic}.reply`]: 1 });
    @Controller()
    class Prices {
      @MessagePattern(rig.topic)
      price(): void {}

      @MessagePattern(
        rig.topic,
        kafkaHandler({ headers: { tax: 'yes' }, deadLetter: { retryTopics: { delays: [100, 300] } } }),
      )
      taxed(): void {}
    }
    rig.keep(
      await startClient('native', [rig.topic], {
        ...optionsFor(`${rig.topic}-c`),
        replyTimeout: 150,
      } as never),
    );
    await rig.serve(Prices);
    expect(logs.matching('warn', 'may be answered 400 ms late')).toHaveLength(1);
  });
});
