import { errors } from '@nats-io/transport-node'
import { RivuletError } from 'rivulet'

// Codes of Node's certificate checks (`X509_V_ERR_*`) and of a failed TLS handshake.
const CERTIFICATE_CODE = /CERT|CRL|ISSUER|LEAF_SIGNATURE|HOSTNAME|^INVALID_|^ERR_(TLS|SSL|OSSL)_/
const NO_TLS = "server does not support 'tls'"

/**
 * Makes one error of the reasons of all servers. It is `TRANSPORT_FAILED` only when every one refused for good:
 * while another one is merely away, trying again soon makes sense.
 */
export function refusalOf(failures: readonly { server: string; cause: unknown }[]): RivuletError {
  const causes = failures.map((failure) => failure.cause)
  const cause = causes.length === 1 ? causes[0] : new AggregateError(causes)
  // In one order, however the servers were tried: an error of the same text is told once.
  const reasons = failures.map((failure) => `${failure.server}: ${reasonOf(failure.cause)}`).sort()
  const isRefused = causes.every(isFatal)
  const advice = isRefused ? ' Check the credentials and the certificates.' : ''
  const message = `No NATS server took the connection (${reasons.join('; ')}).${advice}`
  return new RivuletError(isRefused ? 'TRANSPORT_FAILED' : 'TRANSPORT_UNAVAILABLE', message, { cause })
}

/** Makes the error that tells why an established connection ended. */
export function lossOf(cause: unknown): RivuletError {
  const code = isFatal(cause) ? 'TRANSPORT_FAILED' : 'TRANSPORT_UNAVAILABLE'
  return new RivuletError(code, `The connection to NATS ended: ${reasonOf(cause)}.`, { cause })
}

/** Makes the error that tells of a fault that leaves the connection up. */
export function faultOf(what: string, cause: unknown): RivuletError {
  return new RivuletError('TRANSPORT_FAILED', `${what}: ${reasonOf(cause)}.`, { cause })
}

/** Tells whether trying again soon is pointless. The client hangs up on such an error by itself. */
export function isFatal(cause: unknown): boolean {
  if (cause instanceof errors.UserAuthenticationExpiredError) return true
  if (cause instanceof errors.AuthorizationError) return !/timeout/i.test(cause.message)
  if (!(cause instanceof Error)) return false
  const { code } = cause as NodeJS.ErrnoException
  return cause.message === NO_TLS || CERTIFICATE_CODE.test(code ?? '') || isFatal(cause.cause)
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause ?? 'the server closed it')
}
