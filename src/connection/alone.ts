import { isForked } from '../base/built-in-module.ts'
import type { Environment } from '../base/environment.ts'
import { RivuletError } from '../errors/errors.ts'
import type { Transport } from './transport.ts'

/** The time that other hubs of the process have to open. */
const OPENED_BY_MS = 1_000

/** On the global object, so that the ESM and the CJS copy of the library warn once together. */
const WARNED = Symbol.for('rivulet.alone')

/**
 * Warns once in a process that its hub is alone: its transport reaches no other process, this one has no other hub, and
 * it was forked, so other processes are probably meant to receive its messages. Returns a function that cancels the
 * warning.
 */
export function warnWhenAlone(
  environment: Pick<Environment, 'setTimer'>,
  transport: Transport,
  warn: (error: RivuletError) => void,
): () => void {
  if (transport.othersInProcess === undefined || !isForked()) return () => {}
  const check = () => {
    const shared = globalThis as { [WARNED]?: boolean }
    if (shared[WARNED] === true || transport.othersInProcess?.() !== 0) return
    shared[WARNED] = true
    warn(alone(transport.name))
  }
  return environment.setTimer(check, OPENED_BY_MS, false)
}

function alone(transport: string): RivuletError {
  const message = `This process was forked, and ${transport}: reaches no other process; no other hub is there. Use nats:, mqtt: or redis: between processes, or add ?alone=true to the URL if it is meant so.`
  return new RivuletError('ALONE_IN_PROCESS', message)
}
