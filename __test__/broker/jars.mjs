// Apache Kafka's jars, downloaded once by Maven and kept in the user's cache.

import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const pom = fileURLToPath(new URL('pom.xml', import.meta.url));

/** The version that pom.xml names. */
export const KAFKA_VERSION = /<kafka\.version>(.+)<\/kafka\.version>/.exec(readFileSync(pom, 'utf8'))[1];

/** Where the jars and a formatted data directory are kept; remove it to start afresh. */
export const CACHE = join(
  process.env.XDG_CACHE_HOME || join(homedir(), '.cache'),
  'nestjs-kafka-native',
  `kafka-${KAFKA_VERSION}`,
);

let downloading;

/**
 * The folder of the jars; downloads them if they are not there yet, once for all brokers that are started together.
 * @param {(line: string) => void} progress
 */
export async function kafkaJars(progress) {
  const jars = join(CACHE, 'jars');
  if (existsSync(jars)) return jars;
  downloading ??= download(jars, progress).finally(() => {
    downloading = undefined;
  });
  return downloading;
}

async function download(jars, progress) {
  await requireTool('mvn', ['-v'], 'Apache Maven, which downloads Apache Kafka, is needed on the PATH');
  progress(`downloading Apache Kafka ${KAFKA_VERSION} with Maven, once (45 MB) …`);
  await mkdir(dirname(jars), { recursive: true });
  // Downloaded beside and renamed, so that an interrupted download or another process's never leaves half a folder.
  const incoming = await mkdtemp(`${jars}-`);
  try {
    await maven(
      ['-B', '-q', '-f', pom, 'dependency:copy-dependencies', `-DoutputDirectory=${incoming}`],
      progress,
    );
    const names = await readdir(incoming);
    if (!names.some((name) => name === `kafka_2.13-${KAFKA_VERSION}.jar`)) {
      throw new Error(`Maven ended well, but copied no kafka_2.13-${KAFKA_VERSION}.jar`);
    }
    await rename(incoming, jars).catch((error) => {
      if (!existsSync(jars)) throw error;
    });
  } finally {
    await rm(incoming, { recursive: true, force: true });
  }
  return jars;
}

/** Throws, saying what to install, when a tool cannot be run. */
export async function requireTool(tool, args, message) {
  const { code, error } = await run(tool, args);
  if (error || code !== 0) {
    throw new Error(
      `${tool} is missing: ${message}. (Or set KAFKA_BROKERS=host:port to use a running broker.)`,
    );
  }
}

async function maven(args, progress) {
  const start = performance.now();
  const timer = setInterval(() => {
    progress(`still downloading, for ${Math.round((performance.now() - start) / 1000)} s …`);
  }, 20_000);
  const { code, output } = await run('mvn', args).finally(() => clearInterval(timer));
  if (code !== 0) throw new Error(`mvn ${args.join(' ')} failed:\n${output}`);
}

function run(command, args) {
  return new Promise((resolve) => {
    // On Windows the tool is a script, which only a shell starts.
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      shell: process.platform === 'win32',
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
    child.on('error', (error) => resolve({ error, output }));
    child.on('close', (code) => resolve({ code, output }));
  });
}
