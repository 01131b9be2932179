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

  /**
   * Names each optional member, of an exported type or of a type that one refers to, which refuses an explicit
   * `undefined` under `exactOptionalPropertyTypes`.
   */
  refusingUndefined(entry: string): string[] {
    const seen = new Set<ts.Node>()
    const found: string[] = []
    const visit = (node: ts.Node): void => {
      if (ts.isPropertySignature(node) && node.questionToken && !this.#takesUndefined(node)) {
        found.push(`${ownerOf(node)}.${node.name.getText()}`)
      }
      if (ts.isTypeReferenceNode(node)) this.#declarationsOf(node.typeName).forEach(enter)
      ts.forEachChild(node, visit)
    }
    const enter = (declaration: ts.Node): void => {
      if (seen.has(declaration)) return
      seen.add(declaration)
      if (ts.isInterfaceDeclaration(declaration) || ts.isTypeAliasDeclaration(declaration)) visit(declaration)
      if (ts.isFunctionDeclaration(declaration)) declaration.parameters.forEach(visit)
    }
    for (const { declarations = [] } of this.of(entry)) declarations.forEach(enter)
    return [...new Set(found)]
  }

  #takesUndefined({ type }: ts.PropertySignature): boolean {
    if (type === undefined) return true
    const { Any, Never, Undefined, Unknown } = ts.TypeFlags
    const wide = Any | Never | Undefined | Unknown
    const found = this.#checker.getTypeFromTypeNode(type)
    return (found.isUnion() ? found.types : [found]).some(({ flags }) => (flags & wide) !== 0)
  }

  /** Lists where a type of this repository is declared. */
  #declarationsOf(name: ts.Node): readonly ts.Declaration[] {
    const symbol = this.#checker.getSymbolAtLocation(name)
    const declarations = (symbol && this.#target(symbol).declarations) ?? []
    return declarations.filter((node) => !node.getSourceFile().isDeclarationFile)
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

function ownerOf(node: ts.Node): string {
  const owner = ts.findAncestor(
    node,
    (above) => ts.isInterfaceDeclaration(above) || ts.isTypeAliasDeclaration(above),
  )
  return (owner as ts.InterfaceDeclaration | undefined)?.name.text ?? 'a parameter'
}

function isPublicMember(node: ts.Declaration): boolean {
  const isMember = ts.isClassElement(node) || ts.isTypeElement(node)
  if (!isMember || ts.isConstructorDeclaration(node) || !node.name || ts.isPrivateIdentifier(node.name))
    return false
  const hidden = ts.ModifierFlags.Private | ts.ModifierFlags.Protected | ts.ModifierFlags.Override
  return (ts.getCombinedModifierFlags(node) & hidden) === 0
}
