import { realEnvironment } from '../base/environment.ts'
import type { PlatformSignal } from '../base/platform-signal.ts'
import { RivuletError } from '../errors/errors.ts'

/** The failure of an attempt with one server, by the server's name in errors. */
export interface DialFailure {
  /** The server's name. */
  readonly server: string
  /** The error of the attempt. */
  readonly cause: unknown
}

/** The wording of a product's refusals, and its judgement of them. */
export interface RefusalKind {
  /** The name in errors, for example `NATS`. */
  readonly product: string
  /** Returns whether trying the same server again soon is pointless. */
  isFinal(cause: unknown): boolean
  /** Returns the reason in one clause, without a full stop. */
  reasonOf(cause: unknown): string
  /** Returns the advice for when every server has refused for good; empty for none. */
  adviceOf(causes: readonly unknown[]): string
}

// Codes of Node's certificate checks (`X509_V_ERR_*`) and of a failed TLS handshake.
const CERTIFICATE_CODE = /CERT|CRL|ISSUER|LEAF_SIGNATURE|HOSTNAME|^INVALID_|^ERR_(TLS|SSL|OSSL)_|^EPROTO$/

/**
 * Makes an attempt with one server after another until one succeeds. `rename` changes the server's name in the error.
 * Rejects with the refusal of all failures, or with the signal's reason when that aborts.
 */
export async function dialInTurn<Server, Result>(
  servers: readonly Server[],
  nameOf: (server: Server) => string,
  attempt: (server: Server, rename: (name: string) => void) => Promise<Result>,
  refusalOf: (failures: readonly DialFailure[]) => RivuletError,
  signal: PlatformSignal,
): Promise<Result> {
  const failures: DialFailure[] = []
  for (const server of servers) {
    let name = nameOf(server)
    signal.throwIfAborted()
    try {
      return await attempt(server, (renamed) => {
        name = renamed
      })
    } catch (cause) {
      failures.push({ server: name, cause })
    }
  }
  signal.throwIfAborted()
  throw refusalOf(failures)
}

/**
 * Returns the servers in a random order. The server of the last connection comes last: it is most likely gone or about
 * to stop.
 */
export function inRandomOrder<Server>(
  servers: readonly Server[],
  isLast: (server: Server) => boolean,
): Server[] {
  const ranked = servers.map((server) => ({ server, rank: isLast(server) ? 1 : realEnvironment.random() }))
  return ranked.sort((one, other) => one.rank - other.rank).map(({ server }) => server)
}

/** Returns whether a certificate or a TLS handshake was refused, by Node's code: another attempt would fail the same way. */
export function isCertificateRefusal(cause: unknown): boolean {
  return cause instanceof Error && CERTIFICATE_CODE.test(String((cause as { code?: unknown }).code ?? ''))
}

/**
 * Makes one error of the reasons of all servers. Its code is `TRANSPORT_FAILED` only when every server refused for
 * good; while one is merely unreachable, trying again soon makes sense.
 */
export function refusalOfAll(failures: readonly DialFailure[], kind: RefusalKind): RivuletError {
  const causes = failures.map(({ cause }) => cause)
  const cause = causes.length === 1 ? causes[0] : new AggregateError(causes)
  // Sorted, since an error of the same text is reported once and the servers are tried in any order.
  const reasons = failures.map((failure) => `${failure.server}: ${kind.reasonOf(failure.cause)}`).sort()
  const isRefused = causes.every((each) => kind.isFinal(each))
  const advice = isRefused ? kind.adviceOf(causes) : ''
  const message = `No ${kind.product} server took the connection (${reasons.join('; ')}).${advice && ` ${advice}`}`
  return new RivuletError(isRefused ? 'TRANSPORT_FAILED' : 'TRANSPORT_UNAVAILABLE', message, { cause })
}
