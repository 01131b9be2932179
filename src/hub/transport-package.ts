/** A package with a transport: the schemes of its URLs, and how it is loaded. */
export interface TransportPackage {
  readonly name: string
  readonly schemes: readonly string[]
  readonly load: () => Promise<unknown>
}
