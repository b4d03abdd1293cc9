// Writes docs/options.md from the option tables in lib/options and lib/nest/options, which the options are checked and translated by.
//
//   node scripts/options-docs.mjs            writes it
//   node scripts/options-docs.mjs --check    fails if the committed one differs

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { format, resolveConfig } from 'prettier';
import { Failure, main, ROOT, say } from './lib/process.mjs';
import { buildTypescript } from './lib/typescript.mjs';

const PAGE = join(ROOT, 'docs/options.md');
const TABLES = ['options', 'nest/options'].map((room) => join(ROOT, `dist/esm/${room}/index.js`));

const INTRO = `# Options

\`new ServerKafka(options)\` and \`new ClientKafka(options)\` take what NestJS's \`KafkaOptions['options']\` holds: an object
with the groups below. All of it is checked at construction, and nothing is dropped in silence: an option that is
unknown, of a wrong kind, or impossible here throws a \`KafkaJSInvalidOptionError\` whose message names the option and, where
there is one, the replacement. \`null\` and \`undefined\` count as not given; numbers may be given as text.

This page is generated from the tables that do the checking.

In the tables, _librdkafka_ lists the properties of the driver that an option sets; options without any are acted on by
this package. **Refused** options throw, with the reason given.

## Raw librdkafka properties

\`client\`, \`consumer\` and \`producer\` take a key \`librdkafka\` with properties of [the driver's
list](https://github.com/confluentinc/librdkafka/blob/v2.15.1/CONFIGURATION.md). Those of \`client\` go to every connection,
those of \`consumer\` and \`producer\` over them. They may replace what follows from defaults, but not contradict an option
that is given, nor touch a property that [the core owns](#properties-that-cannot-be-set).

\`\`\`ts
new ServerKafka({
  client: { brokers, librdkafka: { 'socket.keepalive.enable': true } },
  consumer: { groupId: 'hero-consumer', librdkafka: { 'group.instance.id': 'hero-1' } },
});
\`\`\`
`;

await main(import.meta.url, async (args) => {
  const { values } = parseArgs({ args, options: { check: { type: 'boolean', default: false } } });
  await buildTypescript();
  const tables = await Promise.all(TABLES.map((file) => import(pathToFileURL(file).href)));
  const text = await page(Object.assign({}, ...tables));
  if (!values.check) {
    writeFileSync(PAGE, text);
    say('docs/options.md: written');
    return 0;
  }
  if (existsSync(PAGE) && readFileSync(PAGE, 'utf8') === text) return 0;
  throw new Failure('docs/options.md differs from the option tables in lib/options');
});

/** The whole page, formatted. */
async function page(options) {
  const { nestTable, clientTable, sslTable, consumerTable, producerTable, sendTable, runTable } = options;
  const { subscribeTable, retryTable, deadLetterTable, retryTopicsTable } = options;
  const { handlerTable, batchTable, concurrencyTable } = options;
  const { topicsTable, topicTable, transactionsTable } = options;
  const { consumerFixed, producerFixed, OWNED_PROPERTIES } = options;
  const parts = [
    INTRO,
    section('`options`', nestTable, 'The object itself.'),
    section('`client`', clientTable, 'The connection; also what `new Kafka()` takes.'),
    section(
      '`client.ssl`',
      sslTable,
      'When it is an object: the part of `tls.connect` that the driver can do.',
    ),
    section('`consumer`', consumerTable, 'Also what `kafka.consumer()` takes.'),
    section(
      '`run`',
      runTable,
      'Also what `consumer.run()` takes. In the options of NestJS `eachMessage` and `eachBatch` are refused: handlers are methods with `@MessagePattern` and `@EventPattern`.',
    ),
    section(
      '`concurrency`',
      concurrencyTable,
      'Of `run`, and of one handler. [Handlers](handlers.md) tells which order is for what.',
    ),
    section(
      '`subscribe`',
      subscribeTable,
      'Also what `consumer.subscribe()` takes. In the options of NestJS `topics` and `topic` are refused: topics come from the patterns.',
    ),
    section('`producer`', producerTable, 'Also what `kafka.producer()` takes.'),
    section('`send`', sendTable, 'How everything is sent; also options of `producer.send()`.'),
    section(
      '`retry`',
      retryTable,
      'In `client`, `consumer` and `producer`. The more specific one wins, option by option.',
    ),
    deadLetterTable &&
      section(
        '`deadLetter`',
        deadLetterTable,
        'Of the server. [Dead letters](dead-letter.md) tells when it acts.',
      ),
    retryTopicsTable &&
      section(
        '`deadLetter.retryTopics`',
        retryTopicsTable,
        'Of the server. [Retries](retries.md) tells where messages go.',
      ),
    transactionsTable &&
      section(
        '`transactions`',
        transactionsTable,
        'Of the server, for handlers with `kafka: { transactional: true }`. [Exactly once](exactly-once.md) tells what they promise.',
      ),
    section('`topics`', topicsTable, '[Topics](topics.md) tells what is made, and what compared.'),
    section('`topics.defaults`, and each of `topics.overrides`', topicTable),
    section(
      '`kafka`, of one handler',
      handlerTable,
      'In the extras of `@EventPattern` and `@MessagePattern`, over the options of the server. Checked by `listen()`. [Handlers](handlers.md) tells which is for what.',
    ),
    section('`kafka.batch`', batchTable, 'Of one handler; the second argument of `@BatchPattern`.'),
    `## Properties set without an option

librdkafka's defaults that this package changes. A raw property replaces them, unless the core owns it.

${rows(['Property', 'Value', 'Consumer, producer', 'Why'], fixedRows(consumerFixed, producerFixed))}`,
    `## Properties that cannot be set

${rows(
  ['Property', 'Instead'],
  [...OWNED_PROPERTIES].map(([property, reason]) => [code(property), sentence(reason)]),
)}`,
  ];
  const config = await resolveConfig(PAGE);
  return format(parts.filter(Boolean).join('\n\n'), { ...config, parser: 'markdown' });
}

function section(title, table, text = '') {
  return `## ${title}\n\n${text && `${text}\n\n`}${optionTable(table)}`;
}

function optionTable(table) {
  const body = table.rows.map((row) => [
    code(row.name),
    row.check.text,
    defaultOf(row),
    properties(row),
    description(row),
  ]);
  return rows(['Option', 'Value', 'Default', 'librdkafka', 'What it does'], body);
}

function defaultOf({ default: value, defaultText }) {
  if (defaultText !== undefined) return defaultText;
  if (value === undefined) return '';
  return code(JSON.stringify(value));
}

function properties({ handling }) {
  return handling.by === 'librdkafka' ? handling.properties.map(code).join(', ') : '';
}

function description({ doc, handling }) {
  const more = {
    refused: () => `**Refused**: ${handling.because}; ${handling.instead}.`,
    nothing: () => `Has no effect: ${handling.because}.`,
  }[handling.by];
  return [doc, more?.()].filter(Boolean).join(' ');
}

function fixedRows(consumer, producer) {
  const merged = new Map();
  const add = (role, { property, value, doc }) => {
    const key = `${property}=${value}`;
    const row = merged.get(key);
    if (row) row[2] = 'both';
    else merged.set(key, [code(property), code(value), role, doc]);
  };
  for (const fixed of consumer) add('consumer', fixed);
  for (const fixed of producer) add('producer', fixed);
  return [...merged.values()];
}

function rows(head, body) {
  return [head, head.map(() => '---'), ...body].map(line).join('\n');
}

function line(cells) {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

function code(text) {
  return `\`${text}\``;
}

function sentence(text) {
  return `${text[0].toUpperCase()}${text.slice(1)}.`;
}
