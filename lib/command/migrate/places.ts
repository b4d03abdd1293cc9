import type ts from 'typescript';
import type { TypeScript } from './project.js';

/** What an object with `transport: Transport.KAFKA` is used for. */
export type Use = 'server' | 'client' | 'property';

/** Names of functions whose arguments are options. */
const SERVER_CALLS = new Set(['createMicroservice', 'connectMicroservice']);
const CLIENT_CALLS = new Set(['register', 'registerAsync']);
/** Types that show what an object is used for, if nothing else does. */
const TYPES: Readonly<Record<string, Use>> = {
  MicroserviceOptions: 'server',
  ClientProviderOptions: 'client',
  ClientProvider: 'client',
  ClientsModuleOptions: 'client',
  ClientsProviderAsyncOptions: 'client',
  ClientsModuleAsyncOptions: 'client',
};

/** Follows objects to their uses, across variables, functions and files. */
export class Places {
  readonly #ts: TypeScript;
  readonly #checker: ts.TypeChecker;
  readonly #uses = new Map<ts.Symbol, ts.Identifier[]>();

  constructor(typescript: TypeScript, program: ts.Program, sources: readonly ts.SourceFile[]) {
    this.#ts = typescript;
    this.#checker = program.getTypeChecker();
    for (const source of sources) this.#collect(source);
  }

  #collect(node: ts.Node): void {
    const { isIdentifier, forEachChild } = this.#ts;
    if (isIdentifier(node)) {
      const symbol = this.symbolOf(node);
      if (symbol !== undefined) {
        const uses = this.#uses.get(symbol);
        if (uses === undefined) this.#uses.set(symbol, [node]);
        else uses.push(node);
      }
    }
    forEachChild(node, (child) => this.#collect(child));
  }

  /** The symbol of a name, also if it is declared in another file. */
  symbolOf(node: ts.Node): ts.Symbol | undefined {
    const ts = this.#ts;
    const symbol =
      ts.isShorthandPropertyAssignment(node.parent) && node.parent.name === node
        ? this.#checker.getShorthandAssignmentValueSymbol(node.parent)
        : this.#checker.getSymbolAtLocation(node);
    if (symbol === undefined) return undefined;
    return symbol.flags & ts.SymbolFlags.Alias ? this.#aliased(symbol) : symbol;
  }

  /** The symbol behind an import; of a package, the import itself. */
  #aliased(symbol: ts.Symbol): ts.Symbol {
    const target = this.#checker.getAliasedSymbol(symbol);
    return target.declarations === undefined ? symbol : target;
  }

  /** All uses of an expression; empty if none is known. */
  usesOf(node: ts.Node, seen = new Set<ts.Node>()): Set<Use> {
    if (seen.has(node)) return new Set();
    seen.add(node);
    const ts = this.#ts;
    const { parent } = node;
    const follow = (next: ts.Node): Set<Use> => this.usesOf(next, seen);
    if (
      ts.isParenthesizedExpression(parent) ||
      ts.isAsExpression(parent) ||
      ts.isSatisfiesExpression(parent) ||
      ts.isArrayLiteralExpression(parent) ||
      ts.isSpreadAssignment(parent) ||
      ts.isSpreadElement(parent) ||
      ts.isConditionalExpression(parent) ||
      ts.isAwaitExpression(parent) ||
      ts.isBinaryExpression(parent)
    ) {
      return follow(parent);
    }
    if (ts.isCallExpression(parent)) {
      return parent.expression === node ? follow(parent) : this.#argumentOf(parent);
    }
    if (ts.isArrowFunction(parent) || ts.isReturnStatement(parent)) return this.#returned(parent, follow);
    if (ts.isPropertyAssignment(parent) && parent.initializer === node) return this.#property(parent, follow);
    if (ts.isVariableDeclaration(parent) && parent.initializer === node) {
      return this.#named(parent.name, parent.type, follow);
    }
    if (ts.isPropertyDeclaration(parent) && parent.initializer === node) {
      return this.#named(parent.name, parent.type, follow);
    }
    if (ts.isObjectLiteralExpression(parent)) return follow(parent);
    if (ts.isPropertyAccessExpression(parent) && parent.name === node) return follow(parent);
    return new Set();
  }

  #argumentOf(call: ts.CallExpression): Set<Use> {
    const ts = this.#ts;
    const { expression } = call;
    const name = ts.isPropertyAccessExpression(expression) ? expression.name.text : expression.getText();
    if (SERVER_CALLS.has(name)) return new Set(['server']);
    const owner = ts.isPropertyAccessExpression(expression) ? expression.expression.getText() : '';
    if (CLIENT_CALLS.has(name) && owner.endsWith('ClientsModule')) return new Set(['client']);
    if (name === 'create' && owner.endsWith('ClientProxyFactory')) return new Set(['client']);
    if (name === 'Client' && ts.isDecorator(call.parent)) return new Set(['property']);
    // A decorator in plain JavaScript or compiled code: Client({ … })(…).
    if (name === 'Client' && ts.isCallExpression(call.parent)) return new Set(['property']);
    return new Set();
  }

  /** A function's result is used where the function is called, or by the function that it is passed to. */
  #returned(node: ts.ArrowFunction | ts.ReturnStatement, follow: (next: ts.Node) => Set<Use>): Set<Use> {
    const ts = this.#ts;
    let inner: ts.Node = node;
    while (!ts.isFunctionLike(inner)) inner = inner.parent;
    const declared = inner as ts.FunctionLikeDeclaration;
    if (ts.isMethodDeclaration(declared) && declared.name.getText() === 'createClientOptions')
      return new Set(['client']);
    if (ts.isArrowFunction(declared) || ts.isFunctionExpression(declared)) return follow(declared);
    if (ts.isMethodDeclaration(declared) && ts.isObjectLiteralExpression(declared.parent)) {
      return declared.name.getText() === 'useFactory' ? follow(declared.parent) : new Set();
    }
    return declared.name === undefined ? new Set() : this.#named(declared.name, declared.type, follow);
  }

  #property(property: ts.PropertyAssignment, follow: (next: ts.Node) => Set<Use>): Set<Use> {
    const name = property.name.getText();
    // For these NestJS properties the use is that of the enclosing object.
    if (name === 'useFactory' || name === 'clients') return follow(property.parent);
    return this.#named(property.name, undefined, follow);
  }

  #named(name: ts.Node, type: ts.TypeNode | undefined, follow: (next: ts.Node) => Set<Use>): Set<Use> {
    const symbol = this.symbolOf(name);
    const uses = symbol === undefined ? [] : (this.#uses.get(symbol) ?? []);
    const found = new Set(uses.filter((use) => use !== name).flatMap((use) => [...follow(use)]));
    if (found.size > 0 || type === undefined) return found;
    const said = TYPES[type.getText().replace(/(?:\[\])+$/, '')];
    return said === undefined ? found : new Set([said]);
  }

  /** All names of a symbol, its declarations included. */
  namesOf(symbol: ts.Symbol): readonly ts.Identifier[] {
    return this.#uses.get(symbol) ?? [];
  }
}
