import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import ts from 'typescript';
import { afterAll, describe, expect, test } from 'vitest';
import { ROOT } from '../package-consumers/install';
import { run } from './run';

// corpus/ has small applications in the styles that people write, expected/ what becomes of them.

const HERE = join(ROOT, '__test__/command/migrate');
const APPLICATIONS = readdirSync(join(HERE, 'corpus'));
const folders: string[] = [];

afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A copy of an application, in the repository, whose compiler it finds. */
function copyOf(name: string): string {
  mkdirSync(join(ROOT, 'target'), { recursive: true });
  const folder = mkdtempSync(join(ROOT, 'target/migrate-'));
  folders.push(folder);
  cpSync(join(HERE, 'corpus', name), folder, { recursive: true });
  return folder;
}

/** The files below a folder, by their paths. */
function read(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    statSync(join(folder, name)).isFile(),
  );
  return Object.fromEntries(files.toSorted().map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
}

interface Report {
  readonly done: { file: string; line: number; text: string }[];
  readonly left: { file: string; line: number; text: string }[];
}

async function migrate(cwd: string, ...more: string[]): Promise<Report> {
  const { code, out, err } = await run(['migrate', '--json', ...more], { cwd });
  expect(code, err).toBe(0);
  return JSON.parse(out) as Report;
}

describe.each(APPLICATIONS)('%s', { timeout: 180_000 }, (name) => {
  test('becomes what is expected; with --dry-run and a second time nothing changes', async () => {
    const folder = copyOf(name);
    const before = read(folder);
    const announced = await migrate(folder, '--dry-run');
    expect(read(folder)).toEqual(before);
    const { done, left } = await migrate(folder);
    expect({ done, left }).toEqual(announced);
    expect(done.length).toBeGreaterThan(0);
    expect(read(folder)).toEqual(read(join(HERE, 'expected', name)));
    const again = await migrate(folder);
    expect(again.done).toEqual([]);
    // What is left to a person, but for the import that has moved, is told of again.
    expect(again.left.length).toBeLessThanOrEqual(left.length);
    expect(read(folder)).toEqual(read(join(HERE, 'expected', name)));
  });
});

test.each(APPLICATIONS.filter((name) => name !== 'left' && name !== 'javascript'))(
  '%s compiles afterwards',
  (name) => {
    const folder = join(HERE, 'expected', name);
    const files = Object.keys(read(folder)).filter((file) => file.endsWith('.ts'));
    const program = ts.createProgram(
      files.map((file) => join(folder, file)),
      {
        strict: true,
        noEmit: true,
        skipLibCheck: true,
        target: ts.ScriptTarget.ES2022,
        lib: ['lib.es2023.d.ts'],
        module: ts.ModuleKind.ESNext,
        moduleResolution: ts.ModuleResolutionKind.Bundler,
        experimentalDecorators: true,
        types: ['node'],
        paths: { '@app/kafka': [join(folder, 'libs/kafka/src/index.ts')] },
      },
    );
    const errors = ts.getPreEmitDiagnostics(program).map(({ file, messageText }) => {
      return `${file ? relative(folder, file.fileName) : ''}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
    });
    expect(errors).toEqual([]);
  },
);

test('what cannot be rewritten is told of, with its line', async () => {
  const { left } = await migrate(copyOf('left'));
  expect(left.map(({ file, line, text }) => `${file}:${line} ${text.split(':')[0]}`)).toEqual([
    "src/mocks.ts:1 kafkajs/src/protocol/decoder is a file of kafkajs's",
    "src/mocks.ts:4 jest.mock('kafkajs') has no effect any more",
    'src/options.ts:6 These options are used for client and server, which take different ones now',
    'src/options.ts:8 What these options are for is not known here',
    'src/options.ts:10 Transport.KAFKA is used in a way that is not known here',
    'src/options.ts:14 Own extends ServerKafka',
    'src/options.ts:19 The options come from elsewhere',
  ]);
});

test('line ends and marks of files stay', async () => {
  const folder = copyOf('service');
  const file = join(folder, 'src/main.ts');
  writeFileSync(file, `\u{FEFF}${readFileSync(file, 'utf8').replaceAll('\n', '\r\n')}`);
  await migrate(folder);
  const text = readFileSync(file, 'utf8');
  expect(text.startsWith('\u{FEFF}')).toBe(true);
  expect(text.replaceAll('\r\n', '')).not.toContain('\n');
  expect(text).toContain('strategy: new ServerKafka({');
});

test('what is not in UTF-8, cannot be written, or leads nowhere, is told of and keeps nothing from being rewritten', async () => {
  const folder = copyOf(APPLICATIONS[0] as string);
  for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true });
  const source = "import { Kafka } from 'kafkajs';\nconst name = 'é';\n";
  const latin = Buffer.from(source, 'latin1');
  writeFileSync(join(folder, 'latin.ts'), latin);
  writeFileSync(join(folder, 'good.ts'), source);
  writeFileSync(join(folder, 'other.ts'), Buffer.from("export const other = 'é';\n", 'latin1'));
  symlinkSync('nowhere.ts', join(folder, 'dangling.ts'));
  const report = await migrate(folder);
  expect(report.left).toEqual([
    { file: 'latin.ts', line: 1, text: expect.stringContaining('is not in UTF-8') as string },
  ]);
  expect(readFileSync(join(folder, 'latin.ts'))).toEqual(latin);
  expect(readFileSync(join(folder, 'good.ts'), 'utf8')).toContain('nestjs-kafka-native');
});

test('a folder without anything to rewrite, and one that is not there', async () => {
  const folder = copyOf('left');
  rmSync(join(folder, 'src'), { recursive: true });
  expect((await run(['migrate'], { cwd: folder })).out).toBe('Nothing to rewrite.\n');
  expect((await run(['migrate', 'nowhere'], { cwd: folder })).code).toBe(2);
});
