import { Inject, Injectable } from '@nestjs/common';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';
import { clients } from '../kafkajs/instrumentation/clients.js';
import { judge } from './judgement.js';
import { checkHealthOptions, type KafkaHealthOptions } from './options.js';

/**
 * How the Kafka servers, clients, consumers and producers of this process are, for `@nestjs/terminus`:
 *
 * ```ts
 * @Get('ready')
 * @HealthCheck()
 * ready() {
 *   return this.health.check([() => this.kafka.isHealthy('kafka', { probe: 'readiness' })]);
 * }
 * ```
 *
 * It opens no connection of its own: what is connected is asked.
 */
export class KafkaHealthIndicator {
  readonly #health: HealthIndicatorService;

  constructor(health: HealthIndicatorService) {
    this.#health = health;
  }

  /**
   * Up, with what each client is doing; or down, with a reason for each that is not as the probe wants it.
   *
   * @throws TypeError for options that are unknown, wrong, or of another probe.
   */
  async isHealthy<const Key extends string>(
    key: Key,
    options: KafkaHealthOptions = {},
  ): Promise<HealthIndicatorResult<Key>> {
    const session = this.#health.check(key);
    const { problems, details } = await judge(clients, checkHealthOptions(options));
    if (problems.length === 0) return session.up(details);
    return session.down({ message: problems.map(({ text }) => text).join('; '), problems, ...details });
  }
}

Injectable()(KafkaHealthIndicator);
Inject(HealthIndicatorService)(KafkaHealthIndicator, undefined, 0);
