declare global {
  // The names that TypeScript's lib has from ESNext on, so that the types work with an ES2022 lib too.
  interface SymbolConstructor {
    readonly dispose: unique symbol
    readonly asyncDispose: unique symbol
  }
}

/** Makes `using` call a method of the class, where the runtime has the symbols. */
export function makeDisposable<Class extends object>(
  prototype: Class,
  kind: 'dispose' | 'asyncDispose',
  method: keyof Class,
): void {
  const symbol: symbol | undefined = Symbol[kind]
  if (symbol === undefined) return // not on Node 20, which has both, so no test comes here
  Object.defineProperty(prototype, symbol, { value: prototype[method], writable: true, configurable: true })
}
