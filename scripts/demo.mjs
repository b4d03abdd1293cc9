// `npm run demo`: the hero example of NestJS's documentation, as a service and a client in processes of their own.
//
// They talk through an embedded broker (librdkafka's mock cluster, in this process), so nothing needs to be running.
// KAFKA_BROKERS=host:port has them talk through that cluster instead.

import { spawn } from 'node:child_process';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import { build } from './build.mjs';
import { Failure, main, since } from './lib/process.mjs';
import { compilePrograms } from './lib/programs.mjs';
import { checkTools, installModules } from './lib/setup.mjs';

/** Longest wait for one step. Joining a group on a cluster whose last member has died can take half a minute. */
const STEP_TIMEOUT = 60_000;
/** Longest wait for a process to end by itself after its application was closed. */
const EXIT_TIMEOUT = 10_000;

const COLOURS = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, magenta: 35, cyan: 36 };
const isColoured =
  !process.env.NO_COLOR && process.env.FORCE_COLOR !== '0'
    ? process.stdout.isTTY || Boolean(process.env.FORCE_COLOR)
    : false;
const paint = (colour, text) => (isColoured ? `\u001B[${COLOURS[colour]}m${text}\u001B[0m` : text);
const print = (line = '') => process.stdout.write(`${line}\n`);

let steps = 0;
function step(title, ...details) {
  steps += 1;
  print(`\n${paint('bold', `${steps}. ${title}`)}`);
  for (const detail of details) print(paint('dim', `   ${detail}`));
}

await main(import.meta.url, async () => {
  print(paint('bold', 'The hero example of the NestJS documentation, on the Rust core'));

  step('Set-up', 'what is up to date is left alone; only the first time takes minutes');
  await checkTools();
  await installModules();
  await build();
  const folder = await compilePrograms('demo');

  const start = performance.now();
  const { brokers, embedded, stop } = await startBroker();
  const env = { KAFKA_BROKERS: brokers, ...(embedded ? { DEMO_EMBEDDED: '1' } : {}) };
  const children = [];
  try {
    step('Service', 'NestFactory.createMicroservice(ServiceModule, { strategy: new ServerKafka(kafka) })');
    const service = startProcess(join(folder, 'service.js'), 'magenta', env, children);
    await service.says(/^listening$/);

    step(
      'Client',
      "ClientsModule.register([{ name: 'HERO_SERVICE', customClass: ClientKafka, options: kafka }])",
    );
    const client = startProcess(join(folder, 'client.js'), 'cyan', env, children);
    await Promise.all([service.says(/^heard that /), client.exits(STEP_TIMEOUT)]);

    step('Close', 'the client has closed its application and ended by itself; now the service does');
    service.child.disconnect();
    await service.exits(EXIT_TIMEOUT);
  } finally {
    for (const child of children) if (child.exitCode === null) child.kill('SIGKILL');
    await stop();
  }
  print(`\n${paint('green', '✓')} A request and its reply, an event, and a clean exit, in ${since(start)}.`);
  if (!embedded)
    print(
      '  The topics hero.kill.dragon, hero.kill.dragon.reply and hero.dragon.killed stay on the cluster.',
    );
  print(paint('dim', '  The code is in demo/: hero.controller.ts, service.ts and client.ts.'));
});

async function startBroker() {
  const { KAFKA_BROKERS } = process.env;
  if (KAFKA_BROKERS) {
    step('Broker', `yours: ${KAFKA_BROKERS} (KAFKA_BROKERS)`);
    return { brokers: KAFKA_BROKERS, embedded: false, stop: () => undefined };
  }
  const { MockKafka } = await import('nestjs-kafka-native/testing');
  const kafka = MockKafka.start();
  const brokers = kafka.brokers.join(',');
  step(
    'Broker',
    `embedded: librdkafka's mock cluster on ${brokers}`,
    'KAFKA_BROKERS=host:port npm run demo: the same on a real Kafka',
  );
  return { brokers, embedded: true, stop: () => kafka.stop() };
}

/** Starts a program and shows what it prints. */
function startProcess(file, colour, env, children) {
  const name = basename(file, '.js');
  const child = spawn(process.execPath, [file], {
    env: { ...process.env, ...env },
    // Over the IPC channel the service is told to close; it also closes when this process dies.
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  children.push(child);
  const lines = [];
  const waiting = new Set();
  const label = paint(colour, `   ${name.padEnd(7)} │ `);
  const exit = new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve(signal ?? code));
  });
  const ended = [child.stdout, child.stderr].map((stream) => {
    const reader = createInterface({ input: stream });
    reader.on('line', (line) => {
      print(label + highlight(line));
      lines.push(line);
      for (const check of waiting) check();
    });
    return new Promise((resolve) => {
      reader.once('close', resolve);
    });
  });
  const outcome = Promise.all([exit, ...ended]).then(([result]) => result);

  return {
    child,
    /** Waits for a line. */
    says(pattern) {
      const said = new Promise((resolve) => {
        const check = () => lines.some((line) => pattern.test(line)) && resolve();
        waiting.add(check);
        check();
      });
      const died = outcome.then((result) => {
        if (lines.some((line) => pattern.test(line))) return;
        throw new Failure(`the ${name} ended early (${result}), see above`);
      });
      return within(
        STEP_TIMEOUT,
        Promise.race([said, died]),
        `the ${name} did not get as far as "${pattern.source}"`,
      );
    },
    /** Waits until the process ends by itself, successfully. */
    async exits(timeout) {
      const result = await within(timeout, outcome, `the ${name} is still running`);
      if (result !== 0) throw new Failure(`the ${name} failed (${result}), see above`);
      print(label + paint('green', 'ended by itself, exit code 0'));
    },
  };
}

/** Emphasises the important parts of a line: results and where they were handled. */
function highlight(line) {
  if (line.startsWith('status: ')) return paint('dim', line);
  return line
    .replace(/^(reply|send|emit|listening)\b/, (word) => paint('bold', word))
    .replace(/\(topic .*\)$/, (where) => paint('yellow', where));
}

async function within(timeout, promise, what) {
  let timer;
  const late = new Promise((_resolve, reject) => {
    timer = setTimeout(() => reject(new Failure(`after ${timeout / 1000} s ${what}`)), timeout);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
