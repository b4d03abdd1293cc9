import { setTimeout as delay } from 'node:timers/promises';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, EventPattern, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { kafkaOptions, loadNest } from './nest.mjs';
import { createPayload, indexOf } from './payload.mjs';

/**
 * The Nest application with one handler for the requests of all topics. Decorators are applied by hand, as plain JavaScript has to.
 *
 * @param {() => void} onRequest called for every request
 */
export function createRequestApplication(config, onRequest) {
  const reply = createPayload(config.payloadBytes);
  class RequestController {
    handle(data) {
      onRequest();
      return reply(indexOf(data));
    }
  }
  const { topics, kafka } = config;
  return createApplication(config, RequestController, MessagePattern(topics, kafka ? { kafka } : {}));
}

/**
 * The Nest application with one handler for events.
 *
 * @param {(index: number) => void} onEvent called with the number of every event
 */
export async function createEventApplication(config, onEvent) {
  const { topic, kafka, waitMs, computeMs, ignores, copyTopic, failsEvery } = config;
  const handle = (data) => {
    // A batch, if the transport supports batches.
    if (Array.isArray(data)) for (const each of data) onEvent(indexOf(each));
    else onEvent(indexOf(data));
    // An exception that NestJS does not log: what is measured is what becomes of the message.
    if (failsEvery && indexOf(data) % failsEvery === 0) throw new RpcException('poison');
  };
  const { eventApplication } = await loadNest(config.candidate);
  if (eventApplication) return eventApplication(config, handle);
  class EventController {
    handle(data, context) {
      if (computeMs) compute(computeMs);
      if (ignores && context.getMessage().headers['event-type'] !== 'type-0') return undefined;
      if (copyTopic) copy(data, context);
      return waitMs ? delay(waitMs).then(() => handle(data)) : handle(data);
    }
  }
  // A transaction waits for what is sent in it; without one it is sent beside the next events.
  const copy = (data, context) => {
    const sender = kafka?.transactional ? context.getTransaction() : context.getProducer();
    void sender.send({ topic: copyTopic, messages: [{ value: JSON.stringify(data) }] });
  };
  if (ignores || copyTopic) Ctx()(EventController.prototype, 'handle', 1);
  return createApplication(config, EventController, EventPattern(topic, kafka ? { kafka } : {}));
}

/** Keeps the thread busy. */
function compute(milliseconds) {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

async function createApplication(config, controller, pattern) {
  const handler = Object.getOwnPropertyDescriptor(controller.prototype, 'handle');
  Reflect.defineMetadata('design:paramtypes', [Object], controller.prototype, 'handle');
  Payload()(controller.prototype, 'handle', 0);
  pattern(controller.prototype, 'handle', handler);
  Controller()(controller);

  // oxlint-disable-next-line no-extraneous-class -- what a Nest module is
  class AppModule {}
  Module({ controllers: [controller] })(AppModule);

  const { microserviceOptions } = await loadNest(config.candidate);
  // In a worker thread the transport is given.
  const options = config.strategy ? { strategy: config.strategy } : microserviceOptions(kafkaOptions(config));
  return NestFactory.createMicroservice(AppModule, { ...options, logger: ['fatal', 'error', 'warn'] });
}
