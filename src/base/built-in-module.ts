type Runtime = { process?: { getBuiltinModule?(name: string): unknown; send?: unknown } }

/** Returns a built-in module of the runtime, `undefined` in a browser; the core imports none. */
export function builtInModule(name: string): unknown {
  return (globalThis as Runtime).process?.getBuiltinModule?.(name)
}

/**
 * Returns whether `node:cluster` or `fork` of `node:child_process` made this process: only then it can send to its
 * parent.
 */
export function isForked(): boolean {
  return typeof (globalThis as Runtime).process?.send === 'function'
}
