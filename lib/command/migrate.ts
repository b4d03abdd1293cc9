import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { EXIT, wrongUsage, type Command } from './front.js';
import { Places } from './migrate/places.js';
import { createProgram, loadTypeScript, sourcesBelow } from './migrate/project.js';
import { rewrite, type Remark, type Rewritten } from './migrate/rewrite.js';

/** Only sources that mention Kafka are parsed: most sources of an application do not. */
const RELEVANT = /kafka/i;

/** The command `migrate`. */
const migrate: Command = {
  usage: '[folder] [options]',
  description: `Rewrites an application to the classes of this package: transport: Transport.KAFKA in servers, hybrid applications,
ClientsModule, ClientProxyFactory and @Client(), and kafkajs's imports, in TypeScript and JavaScript. What it does not
touch stays as it is written; what cannot be rewritten is told of. Reads all sources below the folder (this one).`,
  options: {
    'dry-run': { type: 'boolean', doc: 'Says what would be done, and writes nothing.' },
    json: { type: 'boolean', doc: 'Writes what was done, and what is left, as JSON.' },
  },
  positionals: 1,
  examples: ['migrate --dry-run', 'migrate apps/orders'],
  run: ({ values, positionals: [given = '.'] }) => {
    const folder = resolve(given);
    if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory())
      throw wrongUsage(`${given} is no folder`);
    const results = rewritten(folder);
    const isDry = values['dry-run'] === true;
    if (!isDry) for (const { file, text } of results) if (text !== undefined) write(file, text);
    const done = results.flatMap((result) => result.done);
    const left = results.flatMap((result) => result.left);
    if (values['json'] === true) {
      process.stdout.write(`${JSON.stringify({ done: named(done), left: named(left) }, null, 2)}\n`);
    } else {
      process.stdout.write(report(named(done), named(left), isDry));
    }
    return Promise.resolve(EXIT.ok);
  },
};

export default migrate;

/** A byte order mark, which the compiler skips. */
const MARK = '\u{FEFF}';

function write(file: string, text: string): void {
  const mark = readFileSync(file, 'utf8').startsWith(MARK) ? MARK : '';
  writeFileSync(file, mark + text);
}

function rewritten(folder: string): Rewritten[] {
  const typescript = loadTypeScript(folder);
  const files = sourcesBelow(folder);
  const relevant = new Set(files.filter((file) => RELEVANT.test(readFileSync(file, 'utf8'))));
  if (relevant.size === 0) return [];
  const program = createProgram(typescript, files);
  const sources = program.getSourceFiles().filter(({ fileName }) => files.includes(fileName));
  const places = new Places(typescript, program, sources);
  return sources
    .filter(({ fileName }) => relevant.has(fileName))
    .map((source) => rewrite(typescript, places, source));
}

/** Remarks with relative paths. */
const named = (remarks: readonly Remark[]): Remark[] =>
  remarks.map((remark) => ({ ...remark, file: relative(process.cwd(), remark.file) }));

const lines = (remarks: readonly Remark[]): string[] =>
  remarks.map(({ file, line, text }) => `  ${file}:${line}  ${text}`);

function report(done: readonly Remark[], left: readonly Remark[], isDry: boolean): string {
  return [
    done.length === 0 ? 'Nothing to rewrite.' : `${isDry ? 'Would be rewritten' : 'Rewritten'}:`,
    ...lines(done),
    ...(left.length === 0 ? [] : ['', 'Left to you:', ...lines(left)]),
    ...(done.length === 0
      ? []
      : [
          '',
          'Next: npm install nestjs-kafka-native, compile, and npx nestjs-kafka-native doctor dist/main.js',
        ]),
    '',
  ].join('\n');
}
