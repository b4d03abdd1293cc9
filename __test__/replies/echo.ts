import { Controller } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { ServerKafka } from 'nestjs-kafka-native';
import { listen, optionsFor } from '../harness/apps';
import { unique } from '../harness/broker';

export interface Echo {
  close(): Promise<void>;
}

/** A server that answers requests on the topics with what it is given. */
export function echo(...topics: string[]): Promise<Echo> {
  return answering(topics, (data) => data);
}

/** A server that answers requests on the topics with what `answer` makes of them. */
export function answering(topics: string[], answer: (data: any) => unknown): Promise<Echo> {
  const controllers = topics.map((topic) => {
    @Controller()
    class Handler {
      @MessagePattern(topic)
      handle(@Payload() data: unknown): unknown {
        return answer(data);
      }
    }
    return Handler;
  });
  const options = { ...optionsFor(unique('echo')), subscribe: { fromBeginning: true } };
  return listen(new ServerKafka(options), controllers);
}
