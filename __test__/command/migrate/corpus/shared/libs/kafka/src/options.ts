import { KafkaOptions, Transport } from '@nestjs/microservices';

const client = { brokers: ['localhost:9092'] };

/** For clients. */
export const clientOptions = (groupId: string): KafkaOptions => ({
  transport: Transport.KAFKA,
  options: { client, consumer: { groupId } },
});

/** For servers. */
export const serverOptions: KafkaOptions = {
  transport: Transport.KAFKA,
  options: { client, consumer: { groupId: 'orders' } },
};
