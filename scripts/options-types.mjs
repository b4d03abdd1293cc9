// Writes the texts of options into the types that have them, from the option tables in lib/options and lib/nest/options: what an editor shows over
// `sessionTimeout` is what docs/options.md says.
//
//   node scripts/options-types.mjs            writes them
//   node scripts/options-types.mjs --check    fails if the committed ones differ

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { format, resolveConfig } from 'prettier';
import ts from 'typescript';
import { Failure, main, ROOT, say } from './lib/process.mjs';
import { buildTypescript } from './lib/typescript.mjs';

const TABLES = ['options', 'nest/options'].map((room) => join(ROOT, `dist/esm/${room}/index.js`));

/** The table of each type with options, by file and type name; after a dot, of the object at that property. */
const TYPES = {
  'lib/kafkajs/types/config.ts': {
    KafkaConfig: 'clientTable',
    ConsumerConfig: 'consumerTable',
    ProducerConfig: 'producerTable',
    AdminConfig: 'adminTable',
    RetryOptions: 'retryTable',
    'ConsumerConfig.retry': 'retryTable',
  },
  'lib/kafkajs/types/consumer.ts': {
    ConsumerRunConfig: 'runTable',
    ConcurrencyOptions: 'concurrencyTable',
    ConsumerSubscribeTopic: 'subscribeTable',
    ConsumerSubscribeTopics: 'subscribeTable',
  },
  'lib/kafkajs/types/message.ts': { ProducerRecord: 'sendTable', ProducerBatch: 'sendTable' },
  'lib/options/producer.ts': { SendOptions: 'sendTable' },
  'lib/nest/options/dead-letter.ts': {
    DeadLetterOptions: 'deadLetterTable',
    RetryTopicsOptions: 'retryTopicsTable',
  },
  'lib/nest/options/handler.ts': { KafkaHandlerOptions: 'handlerTable', BatchOptions: 'batchTable' },
  'lib/nest/options/transactions.ts': { TransactionsOptions: 'transactionsTable' },
  'lib/nest/options/topics.ts': { TopicsOptions: 'topicsTable', TopicSettings: 'topicTable' },
  'lib/nest/options/nest-options.ts': {
    NestKafkaOptions: 'nestTable',
    'NestKafkaOptions.subscribe': 'subscribeTable',
    'NestKafkaOptions.parser': 'parserTable',
  },
};

await main(import.meta.url, async (args) => {
  const { values } = parseArgs({ args, options: { check: { type: 'boolean', default: false } } });
  await buildTypescript();
  const modules = await Promise.all(TABLES.map((file) => import(pathToFileURL(file).href)));
  const tables = Object.assign({}, ...modules);
  const stale = [];
  for (const [name, types] of Object.entries(TYPES)) {
    const file = join(ROOT, name);
    const source = readFileSync(file, 'utf8');
    const written = await withTexts(file, source, types, tables);
    if (written === source) continue;
    stale.push(name);
    if (!values.check) writeFileSync(file, written);
  }
  if (!values.check) {
    say(`texts of options: ${stale.length === 0 ? 'current' : `written into ${stale.join(', ')}`}`);
    return 0;
  }
  if (stale.length === 0) return 0;
  throw new Failure(`the texts of options differ from the tables in lib/options: ${stale.join(', ')}`);
});

/** The source with the text of its table above every option. */
async function withTexts(file, source, types, tables) {
  const parsed = ts.createSourceFile(file, source, ts.ScriptTarget.Latest, true);
  const edits = [];
  for (const [path, tableName] of Object.entries(types)) {
    const rows = new Map(tables[tableName].rows.map((row) => [row.name, row]));
    for (const member of membersAt(parsed, path)) {
      const row = rows.get(member.name.getText());
      // For an option that is an object type, the text of the object itself is kept.
      if (row) edits.push(editOf(source, member, textOf(row)));
    }
  }
  const edited = edits
    .toSorted((a, b) => b.from - a.from)
    .reduce((text, { from, to, put }) => text.slice(0, from) + put + text.slice(to), source);
  return format(edited, { ...(await resolveConfig(file)), parser: 'typescript' });
}

/** The members of the type of that name, or of the object at a property of it. */
function membersAt(parsed, path) {
  const [name, property] = path.split('.');
  const type = parsed.statements.find((one) => ts.isInterfaceDeclaration(one) && one.name.text === name);
  if (type === undefined) throw new Failure(`${parsed.fileName} has no interface ${name}`);
  if (property === undefined) return [...type.members];
  const member = type.members.find((one) => one.name?.getText() === property);
  const literals = [];
  const look = (node) => {
    if (ts.isTypeLiteralNode(node)) literals.push(node);
    else ts.forEachChild(node, look);
  };
  if (member) look(member);
  if (literals.length === 0) throw new Failure(`${parsed.fileName} has no object at ${path}`);
  return literals.flatMap(({ members }) => [...members]);
}

/** Replaces a member's doc comment, or adds one. */
function editOf(source, member, text) {
  const comment = ts.getJSDocCommentsAndTags(member).find(ts.isJSDoc);
  const put = `/** ${text} */`;
  if (comment) return { from: comment.pos, to: comment.end, put };
  const from = member.getStart();
  return { from, to: from, put: `${put}\n` };
}

/** The doc comment of an option: what it does, its unit, its default, and whether it has an effect. */
function textOf({ doc, check, default: value, defaultText, handling }) {
  const sentences = [doc];
  if (check.text.startsWith('a number'))
    sentences.push(`${check.text[0].toUpperCase()}${check.text.slice(1)}.`);
  const byDefault =
    defaultText ?? (value === undefined || value === '' ? undefined : `\`${JSON.stringify(value)}\``);
  if (byDefault !== undefined) sentences.push(`Default: ${byDefault}.`);
  if (handling.by === 'refused') sentences.push(`Refused: ${handling.because}; ${handling.instead}.`);
  if (handling.by === 'nothing') sentences.push(`Has no effect: ${handling.because}.`);
  const text = sentences.join(' ');
  if (text.length <= 120) return text;
  return `\n * ${wrapped(text).join('\n * ')}\n `;
}

function wrapped(text, width = 120) {
  const lines = [''];
  for (const word of text.split(' ')) {
    if (lines.at(-1).length + word.length + 1 > width) lines.push(word);
    else lines.push(`${lines.pop()} ${word}`.trim());
  }
  return lines;
}
