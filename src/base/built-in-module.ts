type Runtime = { process?: { getBuiltinModule?(name: string): unknown } }

/** Asks the runtime for a built-in module, which a browser has not; nothing here imports one. */
export function builtInModule(name: string): unknown {
  return (globalThis as Runtime).process?.getBuiltinModule?.(name)
}
