import { RivuletError } from 'rivulet'

// Return codes of MQTT 3.1.1 (3.2.2.3) and reason codes of MQTT 5 (3.2.2.2) that another try would meet again.
const FATAL_CODES = new Set<unknown>([1, 2, 4, 5, 132, 133, 134, 135, 138, 140])
// Code 1 of a 3.1.1 broker, 132 of one that knows 5.
const PROTOCOL_CODES = new Set<unknown>([1, 132])
// What Node and OpenSSL call a certificate or a handshake that was refused, by either side.
const TLS_CODES = /^ERR_(SSL|TLS|OSSL)_|CERT|^UNABLE_TO_|^EPROTO$|^INVALID_CA$|^HOSTNAME_MISMATCH$/
// A gateway in front of the broker that refuses credentials, in the words of `ws`.
const HTTP_REFUSAL = /^Unexpected server response: 40[13]$/

/** Makes an `INVALID_OPTIONS`. The message must hold nothing that could be a secret. */
export function invalid(message: string): RivuletError {
  return new RivuletError('INVALID_OPTIONS', `@rivulet/mqtt: ${message}`)
}

/** Makes the error of an outage. */
export function unavailable(message: string, cause?: unknown): RivuletError {
  return new RivuletError('TRANSPORT_UNAVAILABLE', message, { cause })
}

/** Makes the error of what another try would meet again. */
export function failed(message: string, cause?: unknown): RivuletError {
  return new RivuletError('TRANSPORT_FAILED', message, { cause })
}

/** Makes the error with which an attempt to connect ends: `TRANSPORT_FAILED` when another try is pointless. */
export function openError(label: string, cause: unknown): RivuletError {
  const code = codeOf(cause)
  const isFatal = FATAL_CODES.has(code) || TLS_CODES.test(`${code}`) || HTTP_REFUSAL.test(messageOf(cause))
  if (!isFatal) return unavailable(`${label} is not reachable: ${reasonOf(cause)}.`, cause)
  const advice = 'check credentials, certificates and protocol'
  return failed(`${label} cannot be used: ${reasonOf(cause)}; ${advice}.`, cause)
}

/** Tells whether a broker has refused the version of the protocol. */
export function refusesProtocol(error: unknown): boolean {
  return RivuletError.is(error) && PROTOCOL_CODES.has(codeOf(error.cause))
}

/** Says why in one clause. */
export function reasonOf(cause: unknown): string {
  if (cause === undefined) return 'the broker closed the connection'
  const code = codeOf(cause)
  return messageOf(cause) + (typeof code === 'number' ? ` (${code})` : '')
}

// The message of an `AggregateError`, one cause for each address tried, is empty.
function messageOf(cause: unknown): string {
  return (cause instanceof Error && cause.message) || String(codeOf(cause) ?? cause)
}

/** Returns the code of an error that has one. */
export function codeOf(cause: unknown): unknown {
  return cause instanceof Error ? (cause as Error & { code?: unknown }).code : undefined
}
