import { RivuletError } from 'rivulet'
import { type DialFailure, isCertificateRefusal, refusalOfAll } from 'rivulet/adapter'

// Return codes of MQTT 3.1.1 (3.2.2.3) and reason codes of MQTT 5 (3.2.2.2) that every further attempt would get.
const FATAL_CODES = new Set<unknown>([1, 2, 4, 5, 132, 133, 134, 135, 138, 140])
// Code 1 of a 3.1.1 broker, 132 of an MQTT 5 broker.
const PROTOCOL_CODES = new Set<unknown>([1, 132])
// The message of `ws` when a gateway in front of the broker refuses credentials.
const HTTP_REFUSAL = /^Unexpected server response: 40[13]$/

/** Makes the error of an outage. */
export function unavailable(message: string, cause?: unknown): RivuletError {
  return new RivuletError('TRANSPORT_UNAVAILABLE', message, { cause })
}

/** Makes the error of a final refusal. */
export function failed(message: string, cause?: unknown): RivuletError {
  return new RivuletError('TRANSPORT_FAILED', message, { cause })
}

/** Makes one error of the reasons of all servers. */
export function refusalOf(failures: readonly DialFailure[]): RivuletError {
  return refusalOfAll(failures, {
    product: 'MQTT',
    isFinal: isFatal,
    reasonOf,
    adviceOf: () => 'Check the credentials, the certificates and the protocol.',
  })
}

/** Returns whether a broker has refused the version of the protocol. */
export function refusesProtocol(cause: unknown): boolean {
  return PROTOCOL_CODES.has(codeOf(cause))
}

function isFatal(cause: unknown): boolean {
  return FATAL_CODES.has(codeOf(cause)) || isCertificateRefusal(cause) || HTTP_REFUSAL.test(messageOf(cause))
}

/** Returns the reason in one clause. */
export function reasonOf(cause: unknown): string {
  if (cause === undefined) return 'the broker closed the connection'
  const code = codeOf(cause)
  return messageOf(cause) + (typeof code === 'number' ? ` (${code})` : '')
}

// The message of an `AggregateError`, one cause for each address tried, is empty.
function messageOf(cause: unknown): string {
  return (cause instanceof Error && cause.message) || String(codeOf(cause) ?? cause)
}

/** Returns the code of an error, if any. */
export function codeOf(cause: unknown): unknown {
  return cause instanceof Error ? (cause as Error & { code?: unknown }).code : undefined
}
