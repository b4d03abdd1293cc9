import { KafkaJSInvalidOptionError } from '../kafkajs/errors/index.js';
import { invalidValue } from './checks.js';
import { hintFor } from './elsewhere.js';
import { isGiven, type Given } from './given.js';
import type { Check, OptionTable } from './table.js';

/**
 * Checks an options object against its table and returns the options that are given.
 *
 * @throws KafkaJSInvalidOptionError naming the first option that is unknown, refused or of a wrong kind.
 */
export function readOptions(table: OptionTable, options: unknown, path = table.path): Given {
  if (!isGiven(options)) return {};
  if (typeof options !== 'object' || Array.isArray(options)) throw invalidValue(path, 'an object', options);
  const given: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(options as object)) {
    const row = table.rows.find((candidate) => candidate.name === name);
    const optionPath = `${path}.${name}`;
    if (row === undefined) {
      if (value === undefined) continue;
      throw unknownOption(table, path, name);
    }
    if (!isGiven(value)) continue;
    if (row.handling.by === 'refused') {
      const { because, instead } = row.handling;
      throw new KafkaJSInvalidOptionError(`Option ${optionPath} is not supported: ${because}; ${instead}`, {
        option: optionPath,
      });
    }
    const parsed = row.check.parse(value, optionPath);
    if (parsed === undefined) throw invalidValue(optionPath, row.check.text, value);
    given[name] = parsed;
  }
  return given;
}

/** An options object inside another one. */
export function nested(table: OptionTable): Check {
  return { text: 'an object', parse: (value, path) => readOptions(table, value, path), table };
}

function unknownOption(table: OptionTable, path: string, name: string): KafkaJSInvalidOptionError {
  const option = `${path}.${name}`;
  return new KafkaJSInvalidOptionError(`Unknown option ${option}: ${hintFor(table, path, name)}`, { option });
}
