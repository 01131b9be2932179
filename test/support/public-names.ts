import { join } from 'node:path'
import ts from 'typescript'
import { ROOT } from './source-files.ts'

/** Reads the compiler options of this repository. */
export function compilerOptions(): ts.CompilerOptions {
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile)
  return ts.parseJsonConfigFileContent({ ...config, include: [], files: [] }, ts.sys, ROOT).options
}

/** One program over some files, which the questions below are asked of. */
export class PublicNames {
  readonly #program: ts.Program
  readonly #checker: ts.TypeChecker

  constructor(entries: readonly string[]) {
    this.#program = ts.createProgram(
      entries.map((entry) => join(ROOT, entry)),
      compilerOptions(),
    )
    this.#checker = this.#program.getTypeChecker()
  }

  /** Lists what an entry exports. */
  of(entry: string): ts.Symbol[] {
    const file = this.#program.getSourceFile(join(ROOT, entry))
    const module = file && this.#checker.getSymbolAtLocation(file)
    if (!module) throw new Error(`${entry} exports nothing.`)
    return this.#checker.getExportsOfModule(module).map((symbol) => this.#target(symbol))
  }

  /** Names what has no doc comment: the exported names themselves, and public members of classes and interfaces. */
  undocumented(entry: string): string[] {
    return this.of(entry).flatMap((symbol) => [
      ...(this.#isDocumented(symbol) ? [] : [symbol.name]),
      ...this.#membersOf(symbol)
        .filter((member) => !this.#isDocumented(member))
        .map((member) => `${symbol.name}.${this.#checker.symbolToString(member)}`),
    ])
  }

  /** Lists the literals of an exported union of strings. */
  literalsOf(entry: string, name: string): string[] {
    const symbol = this.of(entry).find((candidate) => candidate.name === name)
    const type = symbol && this.#checker.getDeclaredTypeOfSymbol(symbol)
    const members = type?.isUnion() ? type.types : []
    return members.filter((member) => member.isStringLiteral()).map(({ value }) => value)
  }

  /** Lists the members of an exported interface. */
  membersOf(entry: string, name: string): string[] {
    const symbol = this.of(entry).find((candidate) => candidate.name === name)
    const type = symbol && this.#checker.getDeclaredTypeOfSymbol(symbol)
    return type === undefined ? [] : this.#checker.getPropertiesOfType(type).map((member) => member.name)
  }

  #target(symbol: ts.Symbol): ts.Symbol {
    return symbol.flags & ts.SymbolFlags.Alias ? this.#checker.getAliasedSymbol(symbol) : symbol
  }

  #isDocumented(symbol: ts.Symbol): boolean {
    return symbol.getDocumentationComment(this.#checker).length > 0
  }

  #membersOf(symbol: ts.Symbol): ts.Symbol[] {
    const statics = symbol.flags & ts.SymbolFlags.Class ? [...(symbol.exports?.values() ?? [])] : []
    const members = [...(symbol.members?.values() ?? []), ...statics]
    return members.filter((member) => member.declarations?.some(isPublicMember))
  }
}

function isPublicMember(node: ts.Declaration): boolean {
  const isMember = ts.isClassElement(node) || ts.isTypeElement(node)
  if (!isMember || ts.isConstructorDeclaration(node) || !node.name || ts.isPrivateIdentifier(node.name))
    return false
  const hidden = ts.ModifierFlags.Private | ts.ModifierFlags.Protected | ts.ModifierFlags.Override
  return (ts.getCombinedModifierFlags(node) & hidden) === 0
}
