import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';
import { startBroker } from './start.mjs';

declare module 'vitest' {
  interface ProvidedContext {
    /** The bootstrap servers of the broker under test. */
    brokers: string;
  }
}

/** Starts one broker for all test files, unless KAFKA_BROKERS names a running one. */
export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const running = process.env['KAFKA_BROKERS'];
  if (running) {
    project.provide('brokers', running);
    return undefined;
  }
  const logFile = fileURLToPath(new URL('../../target/test-broker.log', import.meta.url));
  // It is never killed. One that is gets a short session, so that it can register again soon; but on a busy machine a broker is late
  // with its heartbeat by more than that, and is then taken for dead.
  const properties = { 'broker.session.timeout.ms': 60_000 };
  const broker = await startBroker({ logFile, properties });
  process.stderr.write(`broker: Apache Kafka ${broker.version} at ${broker.brokers}, log in ${logFile}\n`);
  project.provide('brokers', broker.brokers);
  return () => broker.dispose();
}
