/**
 * The only deep imports of NestJS: what its root does not export in both supported versions. Files are named with
 * their extension, which both versions resolve, to the same classes as the application's own imports.
 *
 * @packageDocumentation
 */
// Nest's decorators need it, and Nest 12 fails if one of its files is imported by path before it.
import 'reflect-metadata';
import * as rpcContextCreator from '@nestjs/microservices/context/rpc-context-creator.js';
import * as requestDeserializer from '@nestjs/microservices/deserializers/kafka-request.deserializer.js';
import * as responseDeserializer from '@nestjs/microservices/deserializers/kafka-response.deserializer.js';
import * as invalidTopic from '@nestjs/microservices/errors/invalid-kafka-client-topic.exception.js';
import * as invalidMessage from '@nestjs/microservices/errors/invalid-message.exception.js';
import * as rpcExceptionsHandler from '@nestjs/microservices/exceptions/rpc-exceptions-handler.js';
import * as rpcParamtype from '@nestjs/microservices/enums/rpc-paramtype.enum.js';
import * as requestSerializer from '@nestjs/microservices/serializers/kafka-request.serializer.js';
import * as listenersController from '@nestjs/microservices/listeners-controller.js';
import * as serverFactory from '@nestjs/microservices/server/server-factory.js';

export type { KafkaStatus } from '@nestjs/microservices/events/kafka.events.js';

export const { KafkaRequestDeserializer } = requestDeserializer;
export const { KafkaResponseDeserializer } = responseDeserializer;
export const { InvalidKafkaClientTopicException } = invalidTopic;
export const { InvalidMessageException } = invalidMessage;
export const { KafkaRequestSerializer } = requestSerializer;
export const { RpcContextCreator } = rpcContextCreator;
/** The types of a handler's parameters: `@Payload()` and `@Ctx()`. */
export const { PAYLOAD: PAYLOAD_PARAM, CONTEXT: CONTEXT_PARAM } = rpcParamtype.RpcParamtype;
export const { ListenersController } = listenersController;
export const { RpcExceptionsHandler } = rpcExceptionsHandler;
export const { ServerFactory } = serverFactory;

// Constants of @nestjs/microservices/constants.js; they are part of its wire format and options and have not changed
// since version 7.
/** Metadata key of a handler's extras. */
export const PATTERN_EXTRAS_METADATA = 'microservices:pattern_extras';
/** Broker of a client without `brokers`. */
export const KAFKA_DEFAULT_BROKER = 'localhost:9092';
/** Client id of a client without one. */
export const KAFKA_DEFAULT_CLIENT = 'nestjs-consumer';
/** Group id of a consumer without one. */
export const KAFKA_DEFAULT_GROUP = 'nestjs-group';
/** The error of a request without a handler. */
export const NO_MESSAGE_HANDLER = 'There is no matching message handler defined in the remote service.';
/** The log line of an event without a handler. */
export const noEventHandler = (pattern: string): string =>
  `There is no matching event handler defined in the remote service. Event pattern: ${pattern}`;
