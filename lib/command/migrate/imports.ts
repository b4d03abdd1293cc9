import type ts from 'typescript';
import type { Edits } from './edits.js';
import type { TypeScript } from './project.js';

/** A name that is imported or required by an item of a list. */
interface Item {
  readonly module: string;
  readonly imported: string;
  readonly local: string;
  /** `Transport` in `{ Transport, EventPattern }`. */
  readonly node: ts.ImportSpecifier | ts.BindingElement;
  /** The list, and the statement that it is in. */
  readonly list: ts.NamedImports | ts.ObjectBindingPattern;
  readonly statement: ts.Statement;
  readonly isType: boolean;
}

/** The names that a file imports, those to add, and those that it no longer needs. */
export class Names {
  readonly #ts: TypeScript;
  readonly #source: ts.SourceFile;
  readonly #edits: Edits;
  readonly #items: Item[] = [];
  readonly #needed = new Map<string, Set<string>>();
  readonly #dropped = new Set<ts.Node>();
  readonly #gone = new Set<Item>();

  constructor(typescript: TypeScript, source: ts.SourceFile, edits: Edits) {
    this.#ts = typescript;
    this.#source = source;
    this.#edits = edits;
    for (const statement of source.statements) this.#read(statement);
  }

  #read(statement: ts.Statement): void {
    const ts = this.#ts;
    if (ts.isImportDeclaration(statement) && ts.isStringLiteral(statement.moduleSpecifier)) {
      const bindings = statement.importClause?.namedBindings;
      if (bindings === undefined || !ts.isNamedImports(bindings)) return;
      for (const node of bindings.elements) {
        const imported = (node.propertyName ?? node.name).text;
        const isType = statement.importClause?.isTypeOnly === true || node.isTypeOnly;
        this.#items.push({
          module: statement.moduleSpecifier.text,
          imported,
          local: node.name.text,
          node,
          list: bindings,
          statement,
          isType,
        });
      }
    }
    if (!ts.isVariableStatement(statement)) return;
    for (const { name, initializer } of statement.declarationList.declarations) {
      const module = requiredModule(ts, initializer);
      if (module === undefined || !ts.isObjectBindingPattern(name)) continue;
      for (const node of name.elements) {
        const imported = (node.propertyName ?? node.name).getText();
        this.#items.push({
          module,
          imported,
          local: node.name.getText(),
          node,
          list: name,
          statement,
          isType: false,
        });
      }
    }
  }

  /** The local name of a module's export; undefined if it is not imported. */
  importedAs(module: string, name: string): string | undefined {
    return this.#find(module, name)?.local;
  }

  #find(module: string, name: string): Item | undefined {
    return this.#items.find(
      (item) => item.module === module && item.imported === name && !this.#gone.has(item),
    );
  }

  /** Makes sure that an export is imported, and returns its local name. */
  need(module: string, name: string): string {
    const known = this.#find(module, name);
    if (known !== undefined) return known.local;
    const names = this.#needed.get(module) ?? new Set();
    this.#needed.set(module, names.add(name));
    return name;
  }

  /** Notes that a use of a name was removed: `Transport.KAFKA`, or a type. */
  dropUse(node: ts.Node): void {
    this.#dropped.add(node);
  }

  /** Moves an import to another module. Returns the node of the old import. */
  move(from: string, to: string, name: string): ts.Node | undefined {
    const item = this.#find(from, name);
    if (item === undefined) return undefined;
    this.#gone.add(item);
    const renamed =
      item.local === name
        ? name
        : this.#isRequire(item)
          ? `${name}: ${item.local}`
          : `${name} as ${item.local}`;
    const names = this.#needed.get(to) ?? new Set();
    names.delete(name);
    this.#needed.set(
      to,
      names.add(item.isType && !this.#isUsedAsValue(item.local) ? `type ${renamed}` : renamed),
    );
    return item.node;
  }

  #isRequire = ({ statement }: Item): boolean => !this.#ts.isImportDeclaration(statement);

  /** Whether a name is also used as a value: then its import must not be a type import. */
  #isUsedAsValue = (local: string): boolean =>
    [...(this.#needed.get('nestjs-kafka-native') ?? [])].includes(local);

  /** Writes the imports. */
  write(): void {
    for (const item of this.#items) {
      if (!this.#gone.has(item) && this.#usesLeft(item) === 0) this.#gone.add(item);
    }
    const lists = new Map<Item['list'], Item[]>();
    for (const item of this.#gone) lists.set(item.list, [...(lists.get(item.list) ?? []), item]);
    for (const [list, items] of lists) this.#remove(list, items);
    for (const [module, names] of this.#needed) this.#add(module, [...names].toSorted(byName));
  }

  /** How often a name is still used; only for names some of whose uses were removed. */
  #usesLeft({ local, node }: Item): number {
    const isLess = [...this.#dropped].some((dropped) => dropped.getText().split('.')[0] === local);
    if (!isLess) return Number.POSITIVE_INFINITY;
    const ts = this.#ts;
    let count = 0;
    const visit = (inner: ts.Node): void => {
      if (this.#dropped.has(inner) || inner === node) return;
      if (ts.isIdentifier(inner) && inner.text === local) count += 1;
      ts.forEachChild(inner, visit);
    };
    visit(this.#source);
    return count;
  }

  #remove(list: Item['list'], items: readonly Item[]): void {
    const [{ statement, module }] = items as [Item];
    const stays = list.elements.length > items.length;
    const added = this.#needed.get(module);
    if (stays || (added !== undefined && added.size > 0)) {
      if (!stays) {
        // New names replace removed ones.
        const [first, last] = [items[0] as Item, items.at(-1) as Item];
        this.#edits.replace(
          first.node.getStart(),
          last.node.getEnd(),
          [...(added ?? [])].toSorted(byName).join(', '),
        );
        this.#needed.delete(module);
        return;
      }
      for (const { node } of items) this.#edits.removeItem(node.getStart(), node.getEnd());
      return;
    }
    const { text } = this.#source;
    const end = /^[ \t]*\r?\n/.exec(text.slice(statement.getEnd()));
    this.#edits.replace(statement.getStart(), statement.getEnd() + (end?.[0].length ?? 0), '');
  }

  #add(module: string, names: readonly string[]): void {
    if (names.length === 0) return;
    const item = this.#items.find(
      (known) => known.module === module && !this.#gone.has(known) && !known.isType,
    );
    if (item !== undefined) {
      const going = new Set<ts.Node>([...this.#gone].map(({ node }) => node));
      const last = [...item.list.elements].findLast((node) => !going.has(node)) as ts.Node;
      // Formatted like the list: one name per line, or all on one line.
      const before = this.#source.text.slice(0, last.getStart());
      const ownLine = /\r?\n[ \t]*$/.exec(before)?.[0] ?? ' ';
      this.#edits.insert(last.getEnd(), names.map((name) => `,${ownLine}${name}`).join(''));
      return;
    }
    const after = this.#items.find((known) => known.module === '@nestjs/microservices') ?? this.#items.at(-1);
    const statement = after?.statement ?? this.#source.statements[0];
    if (statement === undefined) return;
    const written = statement.getText();
    const quote = written.includes('"') ? '"' : "'";
    const end = written.trimEnd().endsWith(';') ? ';' : '';
    const isRequire = after !== undefined && this.#isRequire(after);
    const line = isRequire
      ? `const { ${names.join(', ')} } = require(${quote}${module}${quote})${end}`
      : `import { ${names.join(', ')} } from ${quote}${module}${quote}${end}`;
    const newline = this.#source.text.includes('\r\n') ? '\r\n' : '\n';
    const isFirstGone = after !== undefined && [...this.#gone].some((gone) => gone.statement === statement);
    // After the statement, or in its place if it is removed.
    const { text } = this.#source;
    const behind =
      statement.getEnd() + (/^[ \t]*\r?\n/.exec(text.slice(statement.getEnd()))?.[0].length ?? 0);
    this.#edits.insert(
      behind,
      `${behind === statement.getEnd() && !isFirstGone ? newline : ''}${line}${newline}`,
    );
  }
}

const byName = (a: string, b: string): number =>
  a.replace(/^type /, '').localeCompare(b.replace(/^type /, ''));

/** The module of `require('…')`. */
function requiredModule(typescript: TypeScript, node: ts.Expression | undefined): string | undefined {
  if (node === undefined || !typescript.isCallExpression(node)) return undefined;
  const [argument] = node.arguments;
  const isRequire =
    node.expression.getText() === 'require' && argument !== undefined && typescript.isStringLiteral(argument);
  return isRequire ? argument.text : undefined;
}

interface Tell {
  done(node: ts.Node, text: string): void;
  left(node: ts.Node, text: string): void;
}

const KAFKA = 'nestjs-kafka-native/kafka';

/** Replaces a file's imports of kafkajs by imports of this package. */
export function moveKafkajs(typescript: TypeScript, source: ts.SourceFile, edits: Edits, tell: Tell): void {
  const move = (node: ts.StringLiteral): void => {
    edits.replace(node.getStart() + 1, node.getEnd() - 1, KAFKA);
    tell.done(node, `${KAFKA} in place of kafkajs`);
  };
  const visit = (node: ts.Node): void => {
    if (typescript.isStringLiteral(node) && /^kafkajs(?:\/|$)/.test(node.text)) literal(node);
    typescript.forEachChild(node, visit);
  };
  const literal = (node: ts.StringLiteral): void => {
    const { parent } = node;
    const isCall = typescript.isCallExpression(parent);
    const callee = isCall ? parent.expression.getText() : '';
    const isImport =
      typescript.isImportDeclaration(parent) ||
      typescript.isExportDeclaration(parent) ||
      typescript.isExternalModuleReference(parent) ||
      (typescript.isLiteralTypeNode(parent) && typescript.isImportTypeNode(parent.parent)) ||
      (isCall && (callee === 'require' || parent.expression.kind === typescript.SyntaxKind.ImportKeyword));
    if (node.text !== 'kafkajs') {
      if (isImport) tell.left(node, `${node.text} is a file of kafkajs's: this package has none like it`);
    } else if (!isImport) {
      if (/\b(?:mock|unmock|doMock|spyOn|resolve)$/.test(callee)) {
        tell.left(
          node,
          `${callee}('kafkajs') has no effect any more: nestjs-kafka-native/testing has a broker for tests`,
        );
      }
    } else if (typescript.isImportDeclaration(parent) && parent.importClause?.name !== undefined) {
      if (parent.importClause.namedBindings === undefined) {
        const { name } = parent.importClause;
        edits.replace(name.getStart(), name.getEnd(), `* as ${name.text}`);
        move(node);
      } else
        tell.left(
          node,
          `A default import beside others: import * as ${parent.importClause.name.text} from '${KAFKA}'`,
        );
    } else move(node);
  };
  visit(source);
}
