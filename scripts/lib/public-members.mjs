/** Every member of the exported types, and whether it has a doc comment, which editors show. */
import { join, relative } from 'node:path';
import ts from 'typescript';
import { ROOT } from './process.mjs';

/** The entries of the package. */
const ENTRIES = ['lib/index.ts', 'lib/kafka.ts', 'lib/testing.ts', 'lib/register.ts'];

/** The folder of kafkajs's types: types that exported ones refer to count too. */
const SHAPES = 'lib/kafkajs/types/';

/**
 * Reads the members of all that is exported, and of the types that these name.
 *
 * @returns {{ name: string, kind: 'method' | 'property', file: string, hasText: boolean }[]}
 */
export function publicMembers() {
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, ROOT);
  const program = ts.createProgram(
    ENTRIES.map((entry) => join(ROOT, entry)),
    options,
  );
  const checker = program.getTypeChecker();
  const members = new Map();
  const seen = new Set();
  const aliases = new Set();

  /** A declaration that has members, whatever exports it. */
  const visit = (declaration, name) => {
    if (seen.has(declaration) || !isOurs(declaration)) return;
    seen.add(declaration);
    for (const member of membersOf(declaration)) {
      if (!isPublic(member) || member.name === undefined) continue;
      const symbol = checker.getSymbolAtLocation(member.name);
      const key = `${name}.${member.name.getText()}`;
      if (symbol === undefined || members.has(key)) continue;
      members.set(key, {
        name: key,
        kind: isMethod(member) ? 'method' : 'property',
        file: relative(ROOT, member.getSourceFile().fileName),
        hasText: symbol.getDocumentationComment(checker).length > 0,
      });
      for (const inner of [member.type, ...(member.parameters ?? [])]) if (inner) visitTypes(inner, key);
    }
    for (const { types } of declaration.heritageClauses ?? [])
      for (const type of types) visitTypes(type, name);
  };

  /** Visits inline object types and the types that are named there, exported or not. */
  const visitTypes = (node, name) => {
    if (ts.isTypeLiteralNode(node)) visit(node, name);
    else if (ts.isTypeReferenceNode(node)) {
      let symbol = checker.getSymbolAtLocation(node.typeName);
      if (symbol && symbol.flags & ts.SymbolFlags.Alias) symbol = checker.getAliasedSymbol(symbol);
      for (const declaration of symbol?.declarations ?? []) visitDeclaration(declaration, symbol.name, true);
      node.typeArguments?.forEach((argument) => visitTypes(argument, name));
    } else if (!ts.isBlock(node)) ts.forEachChild(node, (inner) => visitTypes(inner, name));
  };

  const visitDeclaration = (declaration, name, isNamedOnly = false) => {
    if (isNamedOnly && !relative(ROOT, declaration.getSourceFile().fileName).startsWith(SHAPES)) return;
    visit(declaration, name);
    if (!ts.isTypeAliasDeclaration(declaration) || aliases.has(declaration) || !isOurs(declaration)) return;
    aliases.add(declaration);
    visitTypes(declaration.type, name);
  };

  for (const entry of ENTRIES) {
    const module = checker.getSymbolAtLocation(program.getSourceFile(join(ROOT, entry)));
    for (let symbol of module ? checker.getExportsOfModule(module) : []) {
      if (symbol.flags & ts.SymbolFlags.Alias) symbol = checker.getAliasedSymbol(symbol);
      for (const declaration of symbol.declarations ?? []) visitDeclaration(declaration, symbol.name);
    }
  }
  return [...members.values()];
}

function isOurs(node) {
  return relative(ROOT, node.getSourceFile().fileName).startsWith('lib/');
}

function membersOf(declaration) {
  const hasMembers =
    ts.isInterfaceDeclaration(declaration) ||
    ts.isClassDeclaration(declaration) ||
    ts.isTypeLiteralNode(declaration);
  return hasMembers ? [...declaration.members] : [];
}

function isPublic(member) {
  const flags = ts.getCombinedModifierFlags(member);
  if (flags & (ts.ModifierFlags.Private | ts.ModifierFlags.Protected)) return false;
  if (ts.getJSDocTags(member).some(({ tagName }) => tagName.text === 'internal')) return false;
  return !ts.isConstructorDeclaration(member) && !(member.name && ts.isPrivateIdentifier(member.name));
}

function isMethod(member) {
  if (ts.isMethodSignature(member) || ts.isMethodDeclaration(member)) return true;
  return Boolean(member.type && ts.isFunctionTypeNode(member.type));
}
