import { ClientProxyFactory, Transport } from '@nestjs/microservices';

/**
 * The options of both candidates. Whatever is not here is at its default, which is the same on both sides: linger 0
 * among it.
 */
export function kafkaOptions({ brokers, group, fromBeginning = false, producerOnlyMode = false }) {
  return {
    client: { clientId: 'bench', brokers },
    consumer: { groupId: group },
    subscribe: { fromBeginning },
    send: { acks: -1 },
    producerOnlyMode,
  };
}

/** What `NestFactory.createMicroservice()` takes for this candidate: the one line in which applications differ. */
export async function microserviceOptions(candidate, options) {
  if (candidate === 'stock') return { transport: Transport.KAFKA, options };
  const { ServerKafka } = await import('nestjs-kafka-native');
  return { strategy: new ServerKafka(options) };
}

/** A client of this candidate, not yet connected. */
export async function createClient(candidate, options) {
  if (candidate === 'stock') return ClientProxyFactory.create({ transport: Transport.KAFKA, options });
  const { ClientKafka } = await import('nestjs-kafka-native');
  return ClientProxyFactory.create({ customClass: ClientKafka, options });
}
