import { errors } from '@nats-io/transport-node'
import { RivuletError } from 'rivulet'
import { type DialFailure, isCertificateRefusal, refusalOfAll } from 'rivulet/adapter'

const NO_TLS = "server does not support 'tls'"

/** Makes one error from the reasons of all servers. */
export function refusalOf(failures: readonly DialFailure[]): RivuletError {
  return refusalOfAll(failures, {
    product: 'NATS',
    isFinal: isFatal,
    reasonOf,
    adviceOf: () => 'Check the credentials and the certificates.',
  })
}

/** Makes the error of a lost connection, with the reason. */
export function lossOf(cause: unknown): RivuletError {
  const code = isFatal(cause) ? 'TRANSPORT_FAILED' : 'TRANSPORT_UNAVAILABLE'
  return new RivuletError(code, `The connection to NATS ended: ${reasonOf(cause)}.`, { cause })
}

/** Makes the error of a fault during which the connection stays up. */
export function faultOf(what: string, cause: unknown): RivuletError {
  return new RivuletError('TRANSPORT_FAILED', `${what}: ${reasonOf(cause)}.`, { cause })
}

/** Returns whether a further attempt is pointless. The client disconnects on such an error by itself. */
export function isFatal(cause: unknown): boolean {
  if (cause instanceof errors.UserAuthenticationExpiredError) return true
  if (cause instanceof errors.AuthorizationError) return !/timeout/i.test(cause.message)
  if (!(cause instanceof Error)) return false
  return cause.message === NO_TLS || isCertificateRefusal(cause) || isFatal(cause.cause)
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause ?? 'the server closed it')
}
