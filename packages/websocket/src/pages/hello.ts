import { objectOf, PROTOCOL_VERSION } from '../base/protocol.ts'

/** What a page said first, as far as it is well-formed. */
export interface Hello {
  readonly hub: string
  readonly token: string | undefined
  /** By prefix. */
  readonly proofs: ReadonlyMap<string, string>
}

const HUB_NAME = /^[A-Za-z0-9_-]{1,64}$/
const PREFIX = /^[0-9a-f]{12}$/
const PROOF = /^[0-9a-f]{64}$/
const MAX_PROOFS = 4

/** Reads the first message of a page, or says in words what is wrong with it. */
export function readHello(bytes: Uint8Array): Hello | string {
  const { version, hub, token, proofs } = objectOf(bytes) ?? {}
  if (version !== PROTOCOL_VERSION) return `the server speaks version ${PROTOCOL_VERSION} of the protocol`
  if (typeof hub !== 'string' || !HUB_NAME.test(hub)) return 'the hello names no hub'
  if (token !== undefined && typeof token !== 'string') return 'the token is no string'
  const claims = Object.entries(proofs ?? {})
  const isGood = ([prefix, proof]: [string, unknown]) =>
    PREFIX.test(prefix) && typeof proof === 'string' && PROOF.test(proof)
  if (claims.length > MAX_PROOFS || !claims.every(isGood)) return 'the proofs are malformed'
  return { hub, token, proofs: new Map(claims as [string, string][]) }
}
