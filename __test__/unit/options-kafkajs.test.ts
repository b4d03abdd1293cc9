import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import {
  adminTable,
  clientTable,
  consumerTable,
  producerTable,
  retryTable,
  runTable,
  sendTable,
  subscribeTable,
} from '../../lib/options/index.js';

const manifest = createRequire(import.meta.url).resolve('kafkajs/package.json');
const types = join(dirname(manifest), 'types/index.d.ts');
const source = ts.createSourceFile(types, readFileSync(types, 'utf8'), ts.ScriptTarget.Latest);

/** The properties that kafkajs's types give an options object, inherited ones too. */
function properties(name: string): string[] {
  const declaration = source.statements.find(
    (statement) =>
      (ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement)) &&
      statement.name.text === name,
  );
  if (declaration === undefined) throw new Error(`kafkajs declares no ${name}`);
  const found: string[] = [];
  if (ts.isInterfaceDeclaration(declaration as ts.Statement)) {
    for (const clause of (declaration as ts.InterfaceDeclaration).heritageClauses ?? []) {
      for (const parent of clause.types) found.push(...properties(parent.expression.getText(source)));
    }
  }
  const members = (node: ts.Node): void => {
    if (ts.isPropertySignature(node)) found.push(node.name.getText(source));
    else ts.forEachChild(node, members);
  };
  members(declaration);
  return found;
}

describe('the tables know every option of kafkajs’s', () => {
  it.each([
    ['KafkaConfig', clientTable],
    ['RetryOptions', retryTable],
    ['ConsumerConfig', consumerTable],
    ['ProducerConfig', producerTable],
    ['AdminConfig', adminTable],
    ['ConsumerRunConfig', runTable],
    ['ConsumerSubscribeTopics', subscribeTable],
    ['ConsumerSubscribeTopic', subscribeTable],
    ['ProducerRecord', sendTable],
  ] as const)('of %s', (name, table) => {
    const theirs = properties(name);
    expect(theirs).not.toEqual([]);
    const known = new Set(table.rows.map((row) => row.name));
    expect(theirs.filter((option) => !known.has(option))).toEqual([]);
  });
});
