import { ErrorReply } from '@redis/client'
import { RivuletError } from 'rivulet'
import { type DialFailure, isCertificateRefusal, refusalOfAll } from 'rivulet/adapter'
import { WrongServer } from './role.ts'

// Answers that every further attempt would get: credentials, a protected server (DENIED), an unacceptable name or
// password, a version before 6 that does not know HELLO.
const FATAL_ANSWER = /^(WRONGPASS|NOAUTH|NOPERM|NOPROTO|DENIED|ERR (unknown command|Client name|AUTH))/i
// A server repeats the arguments of an unknown command: those of HELLO contain the password, of others the data.
const REPEATED_ARGUMENTS = /,? with args beginning with.*/s

const ADVICE = 'Check the credentials, the certificates and the version (6 or later).'

/** The reason why no hub can be watched over sharded channels. */
export const NO_PATTERNS =
  'Sharded channels of Redis have no patterns; leave out the option "sharded" in all processes of the hub.'

/** Makes one error from the reasons of all servers, without repeated arguments. */
export function refusalOf(failures: readonly DialFailure[]): RivuletError {
  const shown = failures.map(({ server, cause }) => ({ server, cause: withoutArguments(cause) }))
  return refusalOfAll(shown, {
    product: 'Redis',
    isFinal: isFatal,
    reasonOf,
    // The message of `WrongServer` already has its advice.
    adviceOf: (causes) => (causes.some((cause) => cause instanceof WrongServer) ? '' : ADVICE),
  })
}

/** Makes the error of a lost connection, or of another fault that a further attempt may resolve. */
export function lossOf(cause: unknown, what = 'The connection to Redis ended'): RivuletError {
  const message = `${what}: ${reasonOf(cause)}.`
  return new RivuletError('TRANSPORT_UNAVAILABLE', message, { cause })
}

/** Makes the error of an unreachable shard of a cluster. */
export function awayOf(label: string, cause: Error): RivuletError {
  const message = `The shard ${label} of Redis is away, so its streams wait while the others go on. ${cause.message}`
  return new RivuletError('TRANSPORT_UNAVAILABLE', message, { cause })
}

/** Makes the error of a fault during which the connection stays up. */
export function faultOf(what: string, cause: unknown): RivuletError {
  return new RivuletError('TRANSPORT_FAILED', `${what}: ${reasonOf(cause)}.`, {
    cause: withoutArguments(cause),
  })
}

/** Returns whether a further attempt is pointless. */
function isFatal(cause: unknown): boolean {
  if (cause instanceof ErrorReply) return FATAL_ANSWER.test(cause.message)
  if (cause instanceof WrongServer) return cause.isFinal
  return isCertificateRefusal(cause)
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
