import { parseArgs, type ParseArgsConfig } from 'node:util';

/** One option of a sub-command, for `parseArgs` and for `--help`. */
export interface CommandOption {
  readonly type: 'string' | 'boolean';
  readonly multiple?: boolean;
  readonly short?: string;
  readonly default?: string | boolean;
  /** The name of the option's value in the help, for example `host:port`. */
  readonly value?: string;
  readonly doc: string;
}

/** The parsed command line. */
export interface Given {
  /** Values by the option's name; an option with `multiple` has an array. */
  readonly values: Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>;
  readonly positionals: readonly string[];
}

/** A sub-command: one file each. */
export interface Command {
  /** The text after its name in the help, for example `<topic> [options]`. */
  readonly usage: string;
  /** What it does, in sentences. */
  readonly description: string;
  readonly options: Readonly<Record<string, CommandOption>>;
  /** Most positional arguments. */
  readonly positionals: number;
  /** Examples for the help, each a command line without the program's name. */
  readonly examples?: readonly string[];
  /** Runs the command. Resolves to the exit code: {@link EXIT}. */
  run(given: Given): Promise<number>;
}

/** Exit codes of the program. */
export const EXIT = {
  /** Success, without findings. */
  ok: 0,
  /** Failure, or findings that have to be fixed. */
  failed: 1,
  /** The command line is invalid. */
  usage: 2,
} as const;

/** A sub-command before it is loaded. */
export interface Listed {
  readonly name: string;
  /** Its line in the program's help. */
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

/** An error whose message is for the user and is printed without a stack. */
export class CommandError extends Error {
  /** The exit code that the program ends with. */
  readonly exitCode: number;

  constructor(message: string, exitCode: number = EXIT.failed) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** The error for an invalid command line. */
export const wrongUsage = (message: string): CommandError => new CommandError(message, EXIT.usage);

/** The program's standard output and error. */
export interface Output {
  out(text: string): void;
  err(text: string): void;
}

const HELP: CommandOption = { type: 'boolean', short: 'h', doc: 'Shows this.' };

/**
 * Runs the program with these arguments. Resolves to its exit code; a {@link CommandError} is printed, other errors
 * are thrown.
 */
export async function runProgram(
  program: string,
  version: string,
  commands: readonly Listed[],
  args: readonly string[],
  { out, err }: Output,
): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    out(programHelp(program, commands));
    return name === undefined ? EXIT.usage : EXIT.ok;
  }
  if (name === '--version' || name === '-v') {
    out(`${version}\n`);
    return EXIT.ok;
  }
  const listed = commands.find((command) => command.name === name);
  if (listed === undefined) {
    const known = commands.map((command) => command.name).join(', ');
    err(
      `${program} has no command ${JSON.stringify(name)}: it has ${known}. ${program} --help says what they do\n`,
    );
    return EXIT.usage;
  }
  const command = await listed.load();
  try {
    const given = parse(command, rest);
    if (given === undefined) {
      out(commandHelp(program, listed.name, command));
      return EXIT.ok;
    }
    return await command.run(given);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    err(`${error.message}\n`);
    if (error.exitCode === EXIT.usage) err(`${program} ${listed.name} --help shows what it takes\n`);
    return error.exitCode;
  }
}

/** Parses the command line; undefined when help was asked for. */
function parse(command: Command, args: readonly string[]): Given | undefined {
  const options = { ...command.options, help: HELP } as NonNullable<ParseArgsConfig['options']>;
  let parsed;
  try {
    parsed = parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (error) {
    if (!String((error as NodeJS.ErrnoException).code).startsWith('ERR_PARSE_ARGS')) throw error;
    throw wrongUsage((error as Error).message);
  }
  const { help, ...values } = parsed.values as Given['values'];
  if (help === true) return undefined;
  const surplus = parsed.positionals[command.positionals];
  if (surplus !== undefined) throw wrongUsage(`Unexpected argument ${JSON.stringify(surplus)}`);
  return { values, positionals: parsed.positionals };
}

function programHelp(program: string, commands: readonly Listed[]): string {
  const rows = commands.map(({ name, summary }): [string, string] => [name, summary]);
  return [
    `Usage: ${program} <command> [options]`,
    '',
    'Commands:',
    ...columns(rows),
    '',
    `${program} <command> --help says more. Exit codes: 0 done, 1 failed or something found, 2 wrong command line.`,
    '',
  ].join('\n');
}

function commandHelp(program: string, name: string, command: Command): string {
  const rows = Object.entries({ ...command.options, help: HELP }).map(([option, row]): [string, string] => {
    const short = row.short === undefined ? '' : `-${row.short}, `;
    const value = row.type === 'string' ? ` <${row.value ?? 'text'}>` : '';
    const preset =
      row.default === undefined || row.default === false ? '' : ` Default: ${String(row.default)}.`;
    const again = row.multiple === true ? ' May be given several times.' : '';
    return [`${short}--${option}${value}`, `${row.doc}${again}${preset}`];
  });
  const examples = (command.examples ?? []).map((line) => `  ${program} ${line}`);
  return [
    `Usage: ${program} ${name} ${command.usage}`,
    '',
    command.description,
    '',
    'Options:',
    ...columns(rows),
    ...(examples.length > 0 ? ['', 'Examples:', ...examples] : []),
    '',
  ].join('\n');
}

function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
}
