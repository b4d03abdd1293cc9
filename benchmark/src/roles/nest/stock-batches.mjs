import { ServerKafka } from '@nestjs/microservices';

export { createClient } from './stock.mjs';

/**
 * NestJS's server with kafkajs's `eachBatch`, as applications write it that want many messages at once: the parsed
 * values of a fetch in arrays of a maximum length, each with one call of the handler.
 */
class BatchServerKafka extends ServerKafka {
  async bindEvents(consumer) {
    await consumer.subscribe({ ...this.options.subscribe, topics: [...this.messageHandlers.keys()] });
    await consumer.run({ ...this.options.run, eachBatch: (payload) => this.#handle(payload) });
  }

  async #handle({ batch: { topic, messages }, resolveOffset, heartbeat }) {
    const handler = this.messageHandlers.get(topic);
    const { maxMessages } = handler.extras.kafka.batch;
    for (let from = 0; from < messages.length; from += maxMessages) {
      const several = messages.slice(from, from + maxMessages);
      // oxlint-disable-next-line no-await-in-loop -- in their order
      await handler(
        several.map(({ value }) => JSON.parse(value.toString())),
        undefined,
      );
      resolveOffset(several.at(-1).offset);
      // oxlint-disable-next-line no-await-in-loop -- as above
      await heartbeat();
    }
  }
}

export function microserviceOptions(options) {
  return { strategy: new BatchServerKafka(options) };
}
