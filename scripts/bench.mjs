/**
 * `npm run bench`: sets everything up, measures NestJS over kafkajs and over this package, and what else there is to
 * compare with, side by side, prints the figures and leaves them in benchmark/results/, with pictures of them.
 * With `--soak` it watches memory under a long load instead. `npm run bench -- --help` lists the options.
 */
import { installBenchmark, prepareCandidates } from './lib/benchmark.mjs';

/**
 * The JVM settings of Kafka's own start script. Those of the tests start faster, but leave the optimising compiler out:
 * the broker would become what limits the figures.
 */
const BROKER_JVM = ['-server', '-Xms1g', '-Xmx1g', '-XX:+UseG1GC', '-XX:MaxGCPauseMillis=20'];

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    if (interrupted.signal.aborted) process.exit(130);
    progress('interrupted: stopping (once more to leave at once)');
    interrupted.abort(new Error('interrupted'));
  });
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const aborted = interrupted.signal.aborted;
  process.stderr.write(`${aborted ? 'interrupted' : (error?.stack ?? error)}\n`);
  process.exitCode = aborted ? 130 : 1;
}

async function main(argv) {
  const { listChoices, parseOptions, USAGE } = await import('../benchmark/src/options.mjs');
  const options = readOptions(parseOptions, argv);
  if (options.help || options.list) {
    process.stdout.write(options.help ? `${USAGE}${listChoices()}` : listChoices());
    return 0;
  }
  const context = { progress, signal: interrupted.signal };
  await installBenchmark(context);
  if (options.docs) {
    const { writeDocs } = await import('../benchmark/src/pages.mjs');
    process.stdout.write(`${(await writeDocs(options.result)).join('\n')}\n`);
    return 0;
  }

  const { candidates, ...prepared } = await prepareCandidates(options.candidates, {
    ...context,
    against: options.against,
  });
  const result = await withBroker({ ...options, candidates }, (withBrokers, kafka) =>
    measure(withBrokers, { ...context, ...prepared, kafka }),
  );
  const { kindOf } = await import('../benchmark/src/kinds.mjs');
  const { writeResult } = await import('../benchmark/src/results.mjs');
  const report = kindOf(result).report(result);
  process.stdout.write(`${report}\n\n${(await writeResult(result)).join('\n')}\n`);
  return result.failures.length > 0 ? 1 : 0;
}

function readOptions(parseOptions, argv) {
  try {
    return parseOptions(argv);
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exit(2);
  }
}

/** Runs `use` with the given broker, or with one that is started for it and stopped again. */
async function withBroker(options, use) {
  if (options.brokers.length > 0) return use(options, process.env.KAFKA_VERSION ?? 'of unknown version');
  progress('starting a broker');
  const { startBroker } = await import('../__test__/broker/start.mjs');
  const broker = await startBroker({ jvm: BROKER_JVM });
  try {
    interrupted.signal.throwIfAborted();
    return await use({ ...options, brokers: broker.brokers.split(',') }, broker.version);
  } finally {
    progress('stopping the broker');
    await broker.stop();
  }
}

async function measure(options, context) {
  const { run } = await import(`../benchmark/src/${options.soak ? 'soak/' : ''}run.mjs`);
  return run(options, context);
}

function progress(line) {
  process.stderr.write(`${new Date().toTimeString().slice(0, 8)} ${line}\n`);
}
