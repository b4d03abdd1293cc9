import type ts from 'typescript';
import { Edits } from './edits.js';
import { moveKafkajs, Names } from './imports.js';
import type { Places, Use } from './places.js';
import type { TypeScript } from './project.js';

/** A remark about a line of a file. */
export interface Remark {
  readonly file: string;
  readonly line: number;
  readonly text: string;
}

/** The result for one file. */
export interface Rewritten {
  readonly file: string;
  /** The new text; undefined if it does not change. */
  readonly text: string | undefined;
  readonly done: readonly Remark[];
  /** What the user has to do by hand. */
  readonly left: readonly Remark[];
}

const NEST = '@nestjs/microservices';
const OURS = 'nestjs-kafka-native';
/** NestJS's types of objects with `transport: Transport.KAFKA`, which do not fit the new objects. */
const NARROW = new Set(['KafkaOptions', 'ClientOptions']);

/** Rewrites one file. */
export function rewrite(typescript: TypeScript, places: Places, source: ts.SourceFile): Rewritten {
  return new Rewriting(typescript, places, source).run();
}

class Rewriting {
  readonly #ts: TypeScript;
  readonly #places: Places;
  readonly #source: ts.SourceFile;
  readonly #edits: Edits;
  readonly #names: Names;
  readonly #done: Remark[] = [];
  readonly #left: Remark[] = [];

  constructor(typescript: TypeScript, places: Places, source: ts.SourceFile) {
    this.#ts = typescript;
    this.#places = places;
    this.#source = source;
    this.#edits = new Edits(source.text);
    this.#names = new Names(typescript, source, this.#edits);
  }

  run(): Rewritten {
    this.#visit(this.#source);
    moveKafkajs(this.#ts, this.#source, this.#edits, {
      done: (node, text) => this.#remark(this.#done, node, text),
      left: (node, text) => this.#remark(this.#left, node, text),
    });
    this.#moveClasses();
    this.#names.write();
    const text = this.#edits.isEmpty ? undefined : this.#edits.apply();
    return { file: this.#source.fileName, text, done: this.#done, left: this.#left };
  }

  #remark(list: Remark[], node: ts.Node, text: string): void {
    const { line } = this.#source.getLineAndCharacterOfPosition(node.getStart(this.#source));
    list.push({ file: this.#source.fileName, line: line + 1, text });
  }

  #visit(node: ts.Node): void {
    const ts = this.#ts;
    if (
      ts.isPropertyAssignment(node) &&
      node.name.getText() === 'transport' &&
      this.#isKafka(node.initializer)
    ) {
      this.#object(node, node.parent);
    } else if (this.#isKafka(node) && !ts.isPropertyAssignment(node.parent) && !this.#isHandlers(node)) {
      this.#remark(this.#left, node, `${node.getText()} is used in a way that is not known here`);
    }
    if (ts.isClassDeclaration(node)) this.#subclass(node);
    if (ts.isCallExpression(node) && /\.(?:create|connect)Microservice$/.test(node.expression.getText())) {
      for (const type of node.typeArguments ?? []) this.#replaceType(type, 'MicroserviceOptions');
    }
    ts.forEachChild(node, (child) => this.#visit(child));
  }

  /** Whether a node is `Transport.KAFKA`, also under an alias. */
  #isKafka(node: ts.Node): boolean {
    const ts = this.#ts;
    if (!ts.isPropertyAccessExpression(node) || node.name.text !== 'KAFKA') return false;
    const { expression } = node;
    if (ts.isPropertyAccessExpression(expression)) return expression.name.text === 'Transport';
    return ts.isIdentifier(expression) && this.#names.importedAs(NEST, 'Transport') === expression.text;
  }

  /**
   * Whether it is the transport of a handler's decorator, which stays: this package's servers have the same transport
   * id.
   */
  #isHandlers(node: ts.Node): boolean {
    const call = node.parent;
    return this.#ts.isCallExpression(call) && /(?:Message|Event)Pattern$/.test(call.expression.getText());
  }

  #object(transport: ts.PropertyAssignment, object: ts.ObjectLiteralExpression): void {
    const uses = this.#places.usesOf(object);
    const [use] = uses;
    if (use === undefined) {
      this.#remark(
        this.#left,
        transport,
        'What these options are for is not known here: a server takes { strategy: new ServerKafka(options) }, a client { customClass: ClientKafka, options }',
      );
      return;
    }
    if (uses.size > 1) {
      this.#remark(
        this.#left,
        transport,
        `These options are used for ${[...uses].join(' and ')}, which take different ones now: write them apart`,
      );
      return;
    }
    if (use === 'server') this.#server(transport, object);
    else this.#client(transport, object, use);
  }

  #server(transport: ts.PropertyAssignment, object: ts.ObjectLiteralExpression): void {
    const ts = this.#ts;
    const options = object.properties.find((property) => property.name?.getText() === 'options');
    const hasSpread = object.properties.some((property) => ts.isSpreadAssignment(property));
    if (options === undefined && hasSpread) {
      this.#remark(
        this.#left,
        transport,
        'The options come from elsewhere: write { strategy: new ServerKafka(options) }',
      );
      return;
    }
    const server = this.#names.need(OURS, 'ServerKafka');
    if (options === undefined) {
      this.#edits.replace(transport.getStart(), transport.getEnd(), `strategy: new ${server}()`);
    } else if (ts.isShorthandPropertyAssignment(options)) {
      this.#edits.removeItem(transport.getStart(), transport.getEnd());
      this.#edits.replace(options.getStart(), options.getEnd(), `strategy: new ${server}(options)`);
    } else if (ts.isPropertyAssignment(options)) {
      this.#edits.removeItem(transport.getStart(), transport.getEnd());
      this.#edits.replace(options.getStart(), options.initializer.getStart(), `strategy: new ${server}(`);
      this.#edits.insert(options.getEnd(), ')');
    } else {
      this.#remark(
        this.#left,
        transport,
        'The options are no plain property: write { strategy: new ServerKafka(options) }',
      );
      return;
    }
    this.#names.dropUse(transport.initializer);
    this.#widen(object, 'CustomStrategy');
    this.#remark(this.#done, transport, 'a server with strategy: new ServerKafka(…)');
  }

  #client(
    transport: ts.PropertyAssignment,
    object: ts.ObjectLiteralExpression,
    use: Exclude<Use, 'server'>,
  ): void {
    const ts = this.#ts;
    const client = this.#names.need(OURS, 'ClientKafka');
    this.#edits.replace(transport.getStart(), transport.getEnd(), `customClass: ${client}`);
    this.#names.dropUse(transport.initializer);
    this.#widen(object, 'CustomClientOptions');
    this.#remark(this.#done, transport, 'a client with customClass: ClientKafka');
    if (use !== 'property' || !/\.[cm]?tsx?$/.test(this.#source.fileName)) return;
    // NestJS's type of @Client() does not allow custom classes, although the decorator accepts them.
    const isArgument = ts.isCallExpression(object.parent);
    if (isArgument)
      this.#edits.insert(object.getEnd(), ` as unknown as ${this.#names.need(NEST, 'ClientOptions')}`);
    else
      this.#remark(
        this.#left,
        transport,
        '@Client() takes custom classes, but its type does not say so: @Client(… as unknown as ClientOptions)',
      );
  }

  /** Replaces KafkaOptions and the like by a type that fits both the old and the new object. */
  #replaceType(node: ts.TypeNode | undefined, type: string): void {
    if (node === undefined || !this.#ts.isTypeReferenceNode(node) || !NARROW.has(node.typeName.getText()))
      return;
    this.#edits.replace(node.getStart(), node.getEnd(), this.#names.need(NEST, type));
    this.#names.dropUse(node.typeName);
  }

  /** Replaces such types of the variables and functions around an object. */
  #widen(object: ts.Node, type: string): void {
    const ts = this.#ts;
    const replace = (node: ts.TypeNode | undefined): void => this.#replaceType(node, type);
    for (
      let node = object.parent;
      node !== undefined && !ts.isBlock(node.parent ?? node);
      node = node.parent
    ) {
      if (
        ts.isVariableDeclaration(node) ||
        ts.isPropertyDeclaration(node) ||
        ts.isAsExpression(node) ||
        ts.isSatisfiesExpression(node)
      )
        replace(node.type);
      if (ts.isFunctionLike(node)) {
        replace(node.type);
        break;
      }
      if (ts.isStatement(node)) break;
    }
    for (let node = object.parent; node !== undefined; node = node.parent) {
      if (!ts.isFunctionLike(node)) continue;
      replace(node.type);
      break;
    }
  }

  /** Moves the imports of NestJS's two classes to this package. */
  #moveClasses(): void {
    for (const name of ['ClientKafka', 'ServerKafka']) {
      const node = this.#names.move(NEST, OURS, name);
      if (node !== undefined) this.#remark(this.#done, node, `${name} of ${OURS}`);
    }
  }

  #subclass(node: ts.ClassDeclaration): void {
    const [parent] = node.heritageClauses?.flatMap(({ types }) => [...types]) ?? [];
    const name = parent?.expression.getText() ?? '';
    const isStock = ['ClientKafka', 'ServerKafka'].some(
      (stock) => this.#names.importedAs(NEST, stock) === name,
    );
    if (isStock) {
      this.#remark(
        this.#left,
        node,
        `${node.name?.text ?? 'A class'} extends ${name}: look whether what it overrides is there (docs/migration.md)`,
      );
    }
  }
}
