import { RivuletError } from 'rivulet'
import { isFinalCode } from '../base/protocol.ts'
import type { WebSocketLike } from './options.ts'

// RFC 6455, 7.4.1.
export const NORMAL_CLOSURE = 1000
/** All that a browser says of a connection that broke, or that it could not make. */
export const NO_CONNECTION = 1006

/** Makes the error of a connection that the other end closed. */
export function endOf(code: number, reason: string | undefined): RivuletError {
  if (isFinalCode(code)) {
    return new RivuletError('TRANSPORT_FAILED', `The server refuses the page: ${reason || `code ${code}`}.`)
  }
  return lost(reason || (code === NO_CONNECTION ? 'no connection' : `closed with code ${code}`))
}

/**
 * Makes the error of a refusal that the next token may end, out of that of one for good. In other words, or the hub would
 * not report the latter when it comes.
 */
export function refusedForNow({ message }: RivuletError): RivuletError {
  return new RivuletError('TRANSPORT_UNAVAILABLE', `${message} It is asked again soon.`)
}

/** Makes the error of a connection that is lost; another one may succeed. */
export function lost(reason: string): RivuletError {
  return new RivuletError('TRANSPORT_UNAVAILABLE', `The WebSocket ended: ${reason}.`)
}

/** Makes the error of a server with another protocol. */
export function foreign(): RivuletError {
  return new RivuletError('TRANSPORT_FAILED', 'The server does not speak this protocol; check the URL.')
}

/** Drops a socket at once where the runtime can; a browser closes it in its own time. */
export function terminate(socket: WebSocketLike): void {
  const { terminate } = socket as { terminate?: () => void }
  if (terminate === undefined) socket.close()
  else terminate.call(socket)
}
