import { ErrorReply } from '@redis/client'
import { RivuletError } from 'rivulet'

// Codes of Node's certificate checks (`X509_V_ERR_*`) and of a failed TLS handshake.
const CERTIFICATE_CODE = /CERT|CRL|ISSUER|LEAF_SIGNATURE|HOSTNAME|^INVALID_|^ERR_(TLS|SSL|OSSL)_/
// How a server begins its answer when another try would meet the same: credentials, a protected server (DENIED), a
// name or a password that it does not take, a version before 6 that does not know HELLO.
const FATAL_ANSWER = /^(WRONGPASS|NOAUTH|NOPERM|NOPROTO|DENIED|ERR (unknown command|Client name|AUTH))/i
// A server that does not know a command repeats its arguments: those of HELLO hold the password, of others the data.
const REPEATED_ARGUMENTS = /,? with args beginning with.*/s

/** Why no hub can be watched over sharded channels. */
export const NO_PATTERNS =
  'Sharded channels of Redis have no patterns; leave out the option "sharded" in all processes of the hub.'

/** Makes an `INVALID_OPTIONS` error. The message must hold nothing that could be a secret. */
export function invalid(message: string): RivuletError {
  return new RivuletError('INVALID_OPTIONS', message)
}

/**
 * Makes one error of the reasons of all servers. It is `TRANSPORT_FAILED` only when every one refused for good:
 * while another one is merely away, trying again soon makes sense.
 */
export function refusalOf(failures: readonly { server: string; cause: unknown }[]): RivuletError {
  const causes = failures.map(({ cause }) => withoutArguments(cause))
  const cause = causes.length === 1 ? causes[0] : new AggregateError(causes)
  // In one order, however the servers were tried: an error of the same text is told once.
  const reasons = failures.map((failure) => `${failure.server}: ${reasonOf(failure.cause)}`).sort()
  const isRefused = causes.every(isFatal)
  const advice = isRefused ? ' Check the credentials, the certificates and the version (6 or later).' : ''
  const message = `No Redis server took the connection (${reasons.join('; ')}).${advice}`
  return new RivuletError(isRefused ? 'TRANSPORT_FAILED' : 'TRANSPORT_UNAVAILABLE', message, { cause })
}

/** Makes the error that tells why an established connection ended. */
export function lossOf(cause: unknown): RivuletError {
  const message = `The connection to Redis ended: ${reasonOf(cause)}.`
  return new RivuletError('TRANSPORT_UNAVAILABLE', message, { cause })
}

/** Makes the error that tells of a fault that leaves the connection up. */
export function faultOf(what: string, cause: unknown): RivuletError {
  return new RivuletError('TRANSPORT_FAILED', `${what}: ${reasonOf(cause)}.`, {
    cause: withoutArguments(cause),
  })
}

/** Tells whether trying again soon is pointless. */
function isFatal(cause: unknown): boolean {
  if (cause instanceof ErrorReply) return FATAL_ANSWER.test(cause.message)
  return cause instanceof Error && CERTIFICATE_CODE.test((cause as NodeJS.ErrnoException).code ?? '')
}

function withoutArguments(cause: unknown): unknown {
  if (!(cause instanceof ErrorReply) || !REPEATED_ARGUMENTS.test(cause.message)) return cause
  return new ErrorReply(reasonOf(cause))
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause)
  // The message of an `AggregateError`, one cause for each address tried, is empty.
  const text = cause.message || (cause as NodeJS.ErrnoException).code || cause.name
  return text.replace(REPEATED_ARGUMENTS, '').replace(/\.$/, '')
}
