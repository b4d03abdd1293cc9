import { Inject, Injectable } from '@nestjs/common';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';
import { observed } from '../kafkajs/instrumentation/clients.js';
import { judge } from './judgement.js';
import { checkHealthOptions, type KafkaHealthOptions } from './options.js';

/**
 * Checks the health of the Kafka servers, clients, consumers and producers of this process, for `@nestjs/terminus`:
 *
 * ```ts
 * @Get('ready')
 * @HealthCheck()
 * ready() {
 *   return this.health.check([() => this.kafka.isHealthy('kafka', { probe: 'readiness' })]);
 * }
 * ```
 *
 * It opens no connection of its own; it uses those of the clients.
 */
export class KafkaHealthIndicator {
  readonly #health: HealthIndicatorService;

  constructor(health: HealthIndicatorService) {
    this.#health = health;
  }

  /**
   * Resolves to up, with the state of each client; or to down, with a reason for each client that fails the probe.
   *
   * @throws TypeError for options that are unknown, wrong, or for another probe.
   */
  async isHealthy<const Key extends string>(
    key: Key,
    options: KafkaHealthOptions = {},
  ): Promise<HealthIndicatorResult<Key>> {
    const session = this.#health.check(key);
    const { problems, details } = await judge(observed(), checkHealthOptions(options));
    if (problems.length === 0) return session.up(details);
    return session.down({ message: problems.map(({ text }) => text).join('; '), problems, ...details });
  }
}

Injectable()(KafkaHealthIndicator);
Inject(HealthIndicatorService)(KafkaHealthIndicator, undefined, 0);
