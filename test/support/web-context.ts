import vm from 'node:vm'

// Exactly what DESIGN 1 allows the core to lean on: no `console`, no `process`, no `Buffer`, no `globalThis.fetch`.
const WEB_GLOBALS = {
  performance,
  setTimeout,
  clearTimeout,
  setInterval,
  clearInterval,
  queueMicrotask,
  TextEncoder,
  TextDecoder,
  AbortController,
  AbortSignal,
  crypto,
}

/**
 * Runs a bundled script in a fresh realm that has the language and the web globals of the core's contract,
 * nothing of Node. The script hands its result to `finish(value)`; the promise resolves to it.
 */
export function runWithWebGlobals(script: string, filename = 'bundle.js'): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const context = vm.createContext({ ...WEB_GLOBALS, finish: resolve, fail: reject })
    // V8 puts its inspector's console into every realm.
    vm.runInContext('delete globalThis.console', context)
    vm.runInContext(script, context, { filename })
  })
}
