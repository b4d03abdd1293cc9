import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import {
  CommandError,
  EXIT,
  runProgram,
  type Command,
  type Given,
  type Listed,
} from '../../lib/command/front.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

let loaded = 0;
let given: Given | undefined;

const command: Command = {
  usage: '<topic> [options]',
  description: 'Does something.',
  options: {
    max: { type: 'string', short: 'm', value: 'number', doc: 'How many.', default: '10' },
    header: { type: 'string', multiple: true, value: 'name=value', doc: 'Which.' },
    json: { type: 'boolean', doc: 'As JSON.' },
  },
  positionals: 1,
  examples: ['something orders --max 5'],
  run: (what) => {
    given = what;
    if (what.positionals[0] === 'bad') throw new CommandError('It is bad');
    if (what.positionals[0] === 'broken') throw new TypeError('a mistake of the program');
    return Promise.resolve(EXIT.ok);
  },
};

const LISTED: Listed[] = [
  {
    name: 'something',
    summary: 'Does something',
    load: () => {
      loaded += 1;
      return Promise.resolve(command);
    },
  },
];

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const output = { out: (text: string) => (out += text), err: (text: string) => (err += text) };
  const code = await runProgram('program', '1.2.3', LISTED, args, output as never);
  return { code, out, err };
}

describe('the command', () => {
  it('lists its commands, and loads none for that', async () => {
    loaded = 0;
    for (const args of [['--help'], ['-h'], ['help']]) {
      const { code, out } = await run(...args);
      expect(code).toBe(0);
      expect(out).toContain('something  Does something');
    }
    expect((await run()).code).toBe(EXIT.usage);
    expect(loaded).toBe(0);
  });

  it('says its version', async () => {
    expect(await run('--version')).toEqual({ code: 0, out: '1.2.3\n', err: '' });
  });

  it('names the commands there are when it is called with another', async () => {
    const { code, err } = await run('somthing');
    expect(code).toBe(EXIT.usage);
    expect(err).toContain('program has no command "somthing": it has something.');
  });

  it('shows the options of a command', async () => {
    const { code, out } = await run('something', '--help');
    expect(code).toBe(0);
    expect(out).toContain('Usage: program something <topic> [options]');
    expect(out).toMatch(/-m, --max <number> {2,}How many\. Default: 10\./);
    expect(out).toMatch(/--header <name=value> {2,}Which\. May be given several times\./);
    expect(out).toContain('  program something orders --max 5');
  });

  it('hands over what was given', async () => {
    expect((await run('something', 'orders', '--header', 'a=1', '--header', 'b=2', '--json')).code).toBe(0);
    expect(given?.positionals).toEqual(['orders']);
    expect({ ...given?.values }).toEqual({ max: '10', header: ['a=1', 'b=2'], json: true });
  });

  it.each([
    [['something', '--min', '1'], "Unknown option '--min'"],
    [['something', '--max'], "'-m, --max <value>'"],
    [['something', 'a', 'b'], 'Unexpected argument "b"'],
  ])('refuses %o', async (args, text) => {
    const { code, err } = await run(...args);
    expect(code).toBe(EXIT.usage);
    expect(err).toContain(text);
    expect(err).toContain('program something --help shows what it takes');
  });

  it('ends with the message of an error for the reader, and throws others', async () => {
    expect(await run('something', 'bad')).toEqual({ code: EXIT.failed, out: '', err: 'It is bad\n' });
    await expect(run('something', 'broken')).rejects.toThrow(TypeError);
  });

  it('is the program of the package', () => {
    const { bin, version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    const file = join(ROOT, bin['nestjs-kafka-native']);
    expect(readFileSync(file, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/);
    expect(execFileSync(process.execPath, [file, '--version'], { encoding: 'utf8' })).toBe(`${version}\n`);
  });
});
