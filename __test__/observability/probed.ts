import { type INestApplication, Controller, Get, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern, Payload } from '@nestjs/microservices';
import { HealthCheck, HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { ServerKafka } from 'nestjs-kafka-native';
import { KafkaHealthIndicator, type KafkaHealthOptions } from 'nestjs-kafka-native/terminus';
import { BROKERS, createTopics, rawProducer, unique } from '../harness/broker';
import { logs } from '../harness/logs';

/** What is open, to be closed after the test, the last first. */
export const open: (() => Promise<unknown>)[] = [];

/** What a probe has answered. */
export interface Probed {
  status: number;
  body: { status: string; details: { kafka: any } };
}

/** Asks a probe, as an orchestrator does. */
export type Probe = (options?: KafkaHealthOptions) => Promise<Probed>;

/** An application that is probed. */
interface Running {
  readonly group: string;
  readonly topic: string;
  readonly server: ServerKafka;
  readonly probe: Probe;
}

/** An HTTP application with nothing but probes. */
export async function startProbes(): Promise<Probe> {
  let asked: KafkaHealthOptions = {};
  const Health = probes(() => asked);
  @Module({ imports: [TerminusModule], controllers: [Health], providers: [KafkaHealthIndicator] })
  class AppModule {}
  const app = await NestFactory.create(AppModule, { logger: logs });
  return listenTo(app, (wanted) => {
    asked = wanted;
  });
}

async function listenTo(app: INestApplication, ask: (wanted: KafkaHealthOptions) => void): Promise<Probe> {
  await app.listen(0, '127.0.0.1');
  open.push(() => app.close());
  const url = await app.getUrl();
  return async (wanted = {}) => {
    // Brokers that are there answer some time, however busy the machine is.
    ask({ ...((wanted.probe ?? 'readiness') === 'readiness' && { timeout: 20_000 }), ...wanted });
    const response = await fetch(`${url}/health`);
    return { status: response.status, body: (await response.json()) as Probed['body'] };
  };
}

/** An HTTP application with one Kafka server, and probes as an orchestrator asks them. */
export async function start(
  handle: (value: string) => unknown,
  { brokers = BROKERS, consumer = {} }: { brokers?: string[]; consumer?: object } = {},
): Promise<Running> {
  const topic = unique('health');
  if (brokers === BROKERS) await createTopics({ [topic]: 1 });
  let asked: KafkaHealthOptions = {};
  @Controller()
  class Events {
    @EventPattern<string>(topic)
    event(@Payload() value: string): unknown {
      return handle(value);
    }
  }
  const Health = probes(() => asked);
  @Module({ imports: [TerminusModule], controllers: [Events, Health], providers: [KafkaHealthIndicator] })
  class AppModule {}
  const app: INestApplication = await NestFactory.create(AppModule, { logger: logs });
  const options = {
    client: { brokers, clientId: topic },
    consumer: { groupId: topic, ...consumer },
    subscribe: { fromBeginning: true },
  };
  const server = new ServerKafka(options);
  app.connectMicroservice({ strategy: server });
  await app.startAllMicroservices();
  const probe = await listenTo(app, (wanted) => {
    asked = wanted;
  });
  return { topic, server, group: `${topic}-server`, probe };
}

/** A controller with the probe. */
function probes(asked: () => KafkaHealthOptions): Type {
  @Controller('health')
  class Health {
    constructor(
      private readonly health: HealthCheckService,
      private readonly kafka: KafkaHealthIndicator,
    ) {}

    @Get()
    @HealthCheck()
    check() {
      return this.health.check([() => this.kafka.isHealthy('kafka', asked())]);
    }
  }
  return Health;
}

/** Writes events to a topic. */
export async function send(topic: string, ...values: string[]): Promise<void> {
  await (await rawProducer()).send({ topic, messages: values.map((value) => ({ value })) });
}
