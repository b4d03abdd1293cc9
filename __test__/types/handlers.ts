// Compiled only: what the types of a handler's options let pass, and what they refuse.
import { EventPattern } from '@nestjs/microservices';
import { kafkaHandler, type KafkaHandlerOptions } from 'nestjs-kafka-native';

export class Handlers {
  @EventPattern<string>(
    'typed',
    kafkaHandler({ deadLetter: { maxAttempts: 3 }, retry: { retries: 1 }, handlerTimeout: 5 }),
  )
  typed(): void {}

  @EventPattern<string>('satisfying', { kafka: { deadLetter: false } satisfies KafkaHandlerOptions })
  satisfying(): void {}

  // @ts-expect-error a misspelt key
  @EventPattern<string>('misspelt', kafkaHandler({ handlerTimeOut: 5 }))
  misspelt(): void {}

  // @ts-expect-error a key of the consumer as a whole
  @EventPattern<string>('restart', kafkaHandler({ retry: { restartOnFailure: () => Promise.resolve(true) } }))
  restart(): void {}
}
