import { invalid } from '../base/invalid.ts'
import { type Grant, type Permission, permissionOf } from './grant.ts'

/** Credentials of somebody who may ask: an account with its token, or an API key with its secret. */
export interface ApiKey {
  /** `AC` (account) or `SK` (API key) and 32 hex digits. Only API keys can sign browser tokens. */
  readonly sid: string
  /** The auth token or the secret. To sign browser tokens it needs 32 characters or more. */
  readonly secret: string
  /** What it allows. @default everything */
  readonly grants?: readonly Grant[]
}

/** The keys of a gateway. */
export interface KeyRing {
  /** Whether there is none. */
  readonly isEmpty: boolean
  /** The sid of the first account among the keys. */
  readonly accountSid: string | undefined
  /** Finds a key by its sid and secret, in a time that does not tell how much of either was right. */
  verify(sid: string, secret: string): VerifiedKey | undefined
  /** Finds a key that signs tokens. */
  signer(sid: string): VerifiedKey | undefined
}

/** A key that was found right. */
export interface VerifiedKey {
  readonly sid: string
  readonly may: Permission
  /** What tokens are signed with. */
  readonly secretBytes: Uint8Array
}

const KEY_SID = /^(AC|SK)[0-9a-fA-F]{32}$/
// RFC 7518, 3.2: a key of HS256 has at least 256 bits. A shorter one could be guessed from any token.
const MIN_SIGNING_BYTES = 32

/** Checks keys and keeps them. Throws `INVALID_OPTIONS`, without any secret. */
export function keyRing(keys: readonly ApiKey[]): KeyRing {
  const held = new Map<string, { readonly key: VerifiedKey; readonly secret: string }>()
  for (const { sid, secret, grants } of keys) {
    if (typeof sid !== 'string' || !KEY_SID.test(sid)) {
      throw invalid('The sid of a key is AC or SK followed by 32 hex digits.')
    }
    if (typeof secret !== 'string' || secret === '') throw invalid(`The key ${sid} has no secret.`)
    if (held.has(sid)) throw invalid(`The key ${sid} is given twice.`)
    const may = grants === undefined ? () => true : permissionOf(grants)
    held.set(sid, { key: { sid, may, secretBytes: new TextEncoder().encode(secret) }, secret })
  }
  return {
    isEmpty: held.size === 0,
    accountSid: [...held.keys()].find((sid) => sid.startsWith('AC')),
    verify(sid, secret) {
      const found = held.get(sid)
      // Compared also when there is no such key, so that time does not tell which keys exist.
      const isRight = isSameText(secret, found?.secret ?? 'no such key')
      return isRight ? found?.key : undefined
    },
    signer(sid) {
      const key = sid.startsWith('SK') ? held.get(sid)?.key : undefined
      return key !== undefined && key.secretBytes.length >= MIN_SIGNING_BYTES ? key : undefined
    },
  }
}

/** Compares in a time that depends only on the length of what was given, not on how much of it is right. */
function isSameText(given: string, expected: string): boolean {
  let difference = given.length ^ expected.length
  for (let index = 0; index < given.length; index++) {
    difference |= given.charCodeAt(index) ^ expected.charCodeAt(index % expected.length)
  }
  return difference === 0
}
