/**
 * NestJS's options: the object that holds KafkaJS's, and what only a server or a client has.
 *
 * @packageDocumentation
 */
export {
  deadLetterTable,
  retryTopicsTable,
  type DeadLetterOptions,
  type ErrorClass,
  type RetryTopicsOptions,
  type RetryTopicSource,
} from './dead-letter.js';
export {
  batchTable,
  handlerTable,
  kafkaHandler,
  knownHandlerOptions,
  readHandler,
  type BatchOptions,
  type KafkaHandlerOptions,
} from './handler.js';
export {
  knownNestOptions,
  nestTable,
  parserTable,
  readNestOptions,
  validateNestOptions,
  type NestKafkaOptions,
  type NestRole,
} from './nest-options.js';
export { topicsTable, topicTable, type TopicSettings, type TopicsOptions } from './topics.js';
export { transactionsSettings, transactionsTable, type TransactionsOptions } from './transactions.js';
