import { invalid } from '../base/invalid.ts'
import type { Caller } from './caller.ts'
import { type Grant, type Permission, permissionOf } from './grant.ts'

/** An API key whose secret was verified. */
export interface VerifiedKey {
  readonly sid: string
  /** The grants of the key; none once it is gone or has changed. */
  readonly may: Permission
  /** The name of the caller who uses it. */
  readonly caller: Caller
  /** The secret that tokens are signed with. */
  readonly secretBytes: Uint8Array
}

interface HeldKey {
  readonly key: VerifiedKey
  readonly secret: string
  /** Compared to see whether they have changed. */
  readonly grantsText: string
}

const KEY_SID = /^(AC|SK)[0-9a-fA-F]{32}$/
const KEY_FIELDS = ['sid', 'secret', 'grants']
// RFC 7518, 3.2: a key of HS256 has at least 256 bits. A shorter one could be guessed from any token.
const MIN_SIGNING_BYTES = 32

/** Returns whether a text has the form of a key's sid. */
export function isKeySid(text: string): boolean {
  return KEY_SID.test(text)
}

/** The keys of a gateway. */
export class KeyRing {
  readonly #givenAccountSid: string | undefined
  #held: ReadonlyMap<string, HeldKey> = new Map()

  /** `accountSid` comes before those of the keys. Throws `INVALID_OPTIONS`, without any secret. */
  constructor(keys: readonly ApiKey[], accountSid?: string) {
    this.#givenAccountSid = accountSid
    this.replace(keys)
  }

  /** Whether there is none. */
  get isEmpty(): boolean {
    return this.#held.size === 0
  }

  /** The account, where one is known: as it was given, or the first one among the keys. */
  get accountSid(): string | undefined {
    return this.#givenAccountSid ?? [...this.#held.keys()].find((sid) => sid.startsWith('AC'))
  }

  /** The sids of API keys whose secret is too short to sign tokens. */
  get sidsWithoutTokens(): readonly string[] {
    const isShort = ({ sid, secretBytes }: VerifiedKey) =>
      sid.startsWith('SK') && secretBytes.length < MIN_SIGNING_BYTES
    return [...this.#held.values()].filter(({ key }) => isShort(key)).map(({ key }) => key.sid)
  }

  /** Returns whether there is a key of that sid. */
  has(sid: string): boolean {
    return this.#held.has(sid)
  }

  /** Finds a key by its sid and secret, in a time that does not reveal how much of either was right. */
  verify(sid: string, secret: string): VerifiedKey | undefined {
    const found = this.#held.get(sid)
    // Compared also when there is no such key, so that time does not reveal which keys exist.
    const isRight = isSameText(secret, found?.secret ?? 'no such key')
    return isRight ? found?.key : undefined
  }

  /** Finds a key that signs tokens. */
  signer(sid: string): VerifiedKey | undefined {
    const key = sid.startsWith('SK') ? this.#held.get(sid)?.key : undefined
    return key !== undefined && key.secretBytes.length >= MIN_SIGNING_BYTES ? key : undefined
  }

  /**
   * Takes other keys, and gives the sids of those that are gone or have changed. Throws `INVALID_OPTIONS`, without
   * any secret, and then has the keys that it had.
   */
  replace(keys: readonly ApiKey[]): ReadonlySet<string> {
    const before = this.#held
    const held = new Map<string, HeldKey>()
    for (const given of keys) {
      checkKey(given)
      if (held.has(given.sid)) throw invalid(`The key ${given.sid} is given twice.`)
      const made = this.#hold(given)
      const old = before.get(given.sid)
      // The same object as before, by which it is known as unchanged.
      held.set(given.sid, old !== undefined && isSameKey(old, made) ? old : made)
    }
    this.#held = held
    return new Set([...before].filter(([sid, old]) => held.get(sid) !== old).map(([sid]) => sid))
  }

  #hold({ sid, secret, grants }: ApiKey): HeldKey {
    const granted = grants === undefined ? () => true : permissionOf(grants)
    // Asked each time: who has waited for something meanwhile must not go on with a key that is gone.
    const may: Permission = (action, service, stream) =>
      this.#held.get(sid)?.key === key && granted(action, service, stream)
    const key: VerifiedKey = {
      sid,
      may,
      secretBytes: new TextEncoder().encode(secret),
      caller: Object.freeze({
        keySid: sid,
        identity: undefined,
        subject: undefined,
        serviceSid: undefined,
        holder: sid,
        may,
        expiresMs: undefined,
      }),
    }
    return { key, secret, grantsText: JSON.stringify(grants ?? null) }
  }
}

function checkKey({ sid, secret, ...others }: ApiKey): void {
  if (typeof sid !== 'string' || !isKeySid(sid)) {
    throw invalid('The sid of a key is AC or SK followed by 32 hex digits.')
  }
  if (typeof secret !== 'string' || secret === '') throw invalid(`The key ${sid} has no secret.`)
  const stray = Object.keys(others).find((field) => !KEY_FIELDS.includes(field))
  if (stray !== undefined)
    throw invalid(`The key ${sid} has an unknown field; there are ${KEY_FIELDS.join(', ')}.`)
}

function isSameKey(a: HeldKey, b: HeldKey): boolean {
  return a.secret === b.secret && a.grantsText === b.grantsText
}

/** Compares in a time that depends only on the length of what was given, not on how much of it is right. */
function isSameText(given: string, expected: string): boolean {
  let difference = given.length ^ expected.length
  for (let index = 0; index < given.length; index++) {
    difference |= given.charCodeAt(index) ^ expected.charCodeAt(index % expected.length)
  }
  return difference === 0
}

/** Credentials of a caller: an account with its token, or an API key with its secret. */
export interface ApiKey {
  /** `AC` (account) or `SK` (API key) and 32 hex digits. Only API keys can sign browser tokens and access tokens. */
  readonly sid: string
  /** The auth token or the secret. To sign tokens it needs 32 characters or more. */
  readonly secret: string
  /** The grants of the key. @default everything */
  readonly grants?: readonly Grant[] | undefined
}
