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
    const isDry = values['dry-run'] === true;
    const rewrites = rewritten(folder);
    const results = isDry ? rewrites : rewrites.map((result) => written(result));
    const done = results.flatMap((result) => result.done);
    const left = results.flatMap((result) => result.left);
    if (values['json'] === true) {
      process.stdout.write(`${JSON.stringify({ done: named(done), left: named(left) }, null, 2)}\n`);
    } else {
      process.stdout.write(report(named(done), named(left), isDry));
    }
    return Promise.resolve(results.some(({ hasFailed }) => hasFailed) ? EXIT.failed : EXIT.ok);
  },
};

export default migrate;

/** What became of a file. */
interface Result extends Rewritten {
  /** Whether it could not be read or written. */
  readonly hasFailed?: boolean;
}

/** A file that stays as it is, and why. */
const untouched = (file: string, why: string, hasFailed: boolean): Result => ({
  file,
  text: undefined,
  done: [],
  left: [{ file, line: 1, text: why }],
  hasFailed,
});

/** A byte order mark, which the compiler skips. */
const MARK = '\u{FEFF}';

/** Writes a file. That one cannot be written keeps none of the others from it. */
function written(result: Result): Result {
  const { file, text } = result;
  if (text === undefined) return result;
  try {
    const mark = readFileSync(file, 'utf8').startsWith(MARK) ? MARK : '';
    writeFileSync(file, mark + text);
    return result;
  } catch (error) {
    return untouched(file, `could not be written, and is as it was: ${(error as Error).message}`, true);
  }
}

const UTF_8 = new TextDecoder('utf-8', { fatal: true });

/** Whether a file is to be rewritten; or why it cannot be, although it may have to. */
function isRelevant(file: string): boolean | Result {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    return untouched(file, `could not be read: ${(error as Error).message}`, true);
  }
  try {
    return RELEVANT.test(UTF_8.decode(bytes));
  } catch {
    const texts = [bytes.toString('latin1'), bytes.toString('utf16le')];
    return (
      texts.some((text) => RELEVANT.test(text)) &&
      untouched(file, 'is not in UTF-8, and would lose its characters: save it so, and run this again', false)
    );
  }
}

function rewritten(folder: string): Result[] {
  const typescript = loadTypeScript(folder);
  const all = sourcesBelow(folder);
  const relevance = new Map(all.map((file) => [file, isRelevant(file)]));
  const troubled = [...relevance.values()].filter((each) => typeof each === 'object');
  const files = all.filter((file) => typeof relevance.get(file) === 'boolean');
  if (!files.some((file) => relevance.get(file) === true)) return troubled;
  const program = createProgram(typescript, files);
  const sources = program.getSourceFiles().filter(({ fileName }) => files.includes(fileName));
  const places = new Places(typescript, program, sources);
  const rewrites = sources
    .filter(({ fileName }) => relevance.get(fileName) === true)
    .map((source) => rewrite(typescript, places, source));
  return [...rewrites, ...troubled];
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
