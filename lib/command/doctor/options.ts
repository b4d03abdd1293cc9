import { KafkaJSInvalidOptionError } from '../../kafkajs/errors/index.js';
import {
  clientTable,
  consumerTable,
  producerTable,
  runTable,
  sendTable,
  subscribeTable,
  type OptionTable,
} from '../../options/index.js';
import {
  knownNestOptions,
  nestTable,
  readHandler,
  validateNestOptions,
  type NestRole,
} from '../../nest/options/index.js';
import type { Application, Origin } from '../inspection/application.js';
import { counted, type Diagnoses } from './finding.js';

type Options = Readonly<Record<string, unknown>>;

/**
 * Checks all options of an application's servers and clients, with the tables that also check them at construction.
 * Returns both with the options that can be used.
 */
export function checkOptions(
  { servers, clients }: Pick<Application, 'servers' | 'clients'>,
  diagnoses: Diagnoses,
): Pick<Application, 'servers' | 'clients'> {
  for (const { handlers } of servers) {
    for (const { pattern, extras } of handlers) checkHandler(String(pattern), extras['kafka'], diagnoses);
  }
  const usable = {
    servers: servers.map((server) => ({ ...server, options: check('server', server, diagnoses) })),
    clients: clients.map((client) => ({ ...client, options: check('client', client, diagnoses) })),
  };
  diagnoses.checked(
    `options of ${counted(servers.length, 'server')} and ${counted(clients.length, 'client')}`,
  );
  return usable;
}

/** Checks the options of a server or client; returns those that can be used. */
function check(
  role: NestRole,
  { origin, options, groupId }: { origin: Origin; options: Options; groupId: string },
  diagnoses: Diagnoses,
): Options {
  const whose = `the ${role} of group ${groupId}`;
  const { options: remainder, unknown } = knownNestOptions(options);
  const known = remainder as Options;
  for (const { path, hint } of unknown) {
    diagnoses.warning('unknown-option', {
      what: `${path} of ${whose} is no option`,
      why:
        origin === 'nestjs-kafka-native'
          ? 'The classes of this package refuse it'
          : 'NestJS and kafkajs ignore it, so that it has never had an effect; the classes of this package refuse it',
      fix: `${path}: ${hint}`,
    });
  }
  let remaining = known;
  // Each refused option is reported and removed, so that the next one is found; at most this many.
  for (let left = 50; left > 0; left--) {
    const current = remaining;
    const error = thrownBy(() => validateNestOptions(role, current));
    if (error === undefined) break;
    const option = refused(error, whose, diagnoses);
    const without = option === undefined ? undefined : withoutOption(remaining, option);
    if (without === undefined) break;
    remaining = without;
  }
  for (const note of withoutEffect(known)) diagnoses.note(`${note} (${whose})`);
  return remaining;
}

/** Reports a refused option; returns its path, if the error names it. */
export function refused(
  error: Error,
  whose: string,
  diagnoses: Diagnoses,
  unnamed = 'An option',
): string | undefined {
  const option = error instanceof KafkaJSInvalidOptionError ? error.option : undefined;
  diagnoses.error('option', {
    what: `${option ?? unnamed} of ${whose} cannot be used`,
    why: error.message,
    fix: wayOut(error.message) ?? `Leave ${option ?? 'it'} out`,
  });
  return option;
}

/** The options of one handler: `kafka` in the extras of its decorator. */
function checkHandler(pattern: string, options: unknown, diagnoses: Diagnoses): void {
  const error = thrownBy(() => readHandler(options));
  if (error === undefined) return;
  refused(error, `the handler of ${pattern}`, diagnoses, 'kafka');
}

function thrownBy(call: () => void): Error | undefined {
  try {
    call();
    return undefined;
  } catch (error) {
    if (error instanceof Error) return error;
    throw error;
  }
}

/** What an error says to do instead: the text after its last semicolon. */
function wayOut(message: string): string | undefined {
  const at = message.lastIndexOf('; ');
  const text = at === -1 ? /expected .*(?=, got)/.exec(message)?.[0] : message.slice(at + 2);
  return text && text[0]?.toUpperCase() + text.slice(1);
}

/**
 * A copy of the options without the one at `path`, like `client.retry.retries` or `options.postfixId`; undefined if
 * it is not there.
 */
function withoutOption(options: Options, path: string): Options | undefined {
  const names = path.replaceAll(/\["?([^"\]]+)"?\]/g, '.$1').split('.');
  if (names[0] === 'options') names.shift();
  return removed(options, names);
}

function removed(object: Options, [name, ...rest]: readonly string[]): Options | undefined {
  if (name === undefined || !(name in object)) return undefined;
  // Anything but a plain object is removed as a whole; so are raw properties, whose names have dots.
  const inner = object[name];
  const isPlain = typeof inner === 'object' && inner !== null && !Array.isArray(inner);
  const without = rest.length > 0 && isPlain ? removed(inner as Options, rest) : undefined;
  const { [name]: _, ...others } = object;
  return without === undefined ? others : { ...others, [name]: without };
}

const TABLES: Readonly<Record<string, OptionTable>> = {
  client: clientTable,
  consumer: consumerTable,
  producer: producerTable,
  run: runTable,
  send: sendTable,
  subscribe: subscribeTable,
};

/** Options that are given but have no effect here, each with the reason. */
function* withoutEffect(options: Options): Generator<string> {
  yield* idle(nestTable, options);
  for (const [name, table] of Object.entries(TABLES)) {
    const section = options[name];
    if (typeof section === 'object' && section !== null) yield* idle(table, section as Options);
  }
}

function* idle(table: OptionTable, options: Options): Generator<string> {
  for (const { name, handling } of table.rows) {
    if (handling.by === 'nothing' && options[name] !== undefined && options[name] !== null) {
      yield `${table.path}.${name} has no effect here: ${handling.because}`;
    }
  }
}
