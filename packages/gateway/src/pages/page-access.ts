import type { Hub } from 'rivulet'
import { type Access, callerOfToken } from '../access/authentication.ts'
import { type Caller, OPEN_CALLER } from '../access/caller.ts'
import type { Action } from '../access/grant.ts'
import { MAX_TOKEN_LENGTH } from '../access/token.ts'
import { MAX_NUMBER } from '../base/options.ts'
import { Quota } from '../sessions/quota.ts'
import type { Relay } from './relay/relay.ts'
import type { PageHello, PageRefusal, PageSession } from './session.ts'

/** The settings that let pages in. */
export interface PageAccessOptions extends Access {
  readonly services: ReadonlyMap<string, Hub>
  /** The relay of each service that pages may join, by the service's sid. */
  readonly relays: ReadonlyMap<string, Relay>
  readonly limits: { readonly pages: PageAccessLimits }
}

/** The limits on pages. */
export interface PageAccessLimits {
  /** How many pages each key may have at once. @default 2000 */
  readonly maxPerKey: number
  /** How many pages each identity may have at once. @default 20 */
  readonly maxPerIdentity: number
}

/** Least value, default and greatest value of each limit. */
export const PAGE_ACCESS_BOUNDS = {
  maxPerKey: [1, 2_000, MAX_NUMBER],
  maxPerIdentity: [1, 20, MAX_NUMBER],
} as const

/** A session of a page, with the key behind its token. */
export interface KeyedSession extends PageSession {
  readonly keySid: string
}

const ACTIONS: Readonly<Record<Parameters<PageSession['may']>[0], Action>> = {
  publish: 'publish',
  listen: 'listen',
  remove: 'manage',
}
const PURPOSE = new TextEncoder().encode('the publishers of pages, version 1')
/** Without keys every caller may do everything, so there is nothing to protect. */
const OPEN_KEY = new TextEncoder().encode('open')

/** Authenticates pages, and counts those of each key and identity. */
export class PageAccess {
  readonly #options: PageAccessOptions
  /** The sid of the service of each hub that pages may join. */
  readonly #sids: ReadonlyMap<string, string>
  readonly #prefixKeys = new WeakMap<Uint8Array, Promise<Uint8Array>>()
  readonly #perKey: Quota
  readonly #perIdentity: Quota

  constructor(options: PageAccessOptions) {
    this.#options = options
    this.#perKey = new Quota(options.limits.pages.maxPerKey)
    this.#perIdentity = new Quota(options.limits.pages.maxPerIdentity)
    const { services, relays } = options
    this.#sids = new Map([...relays.keys()].map((sid) => [(services.get(sid) as Hub).name, sid]))
  }

  /** Lets a page in, or says why not. `current` is what it has been so far, when it shows a new token. */
  async authenticate(
    { hub, token }: PageHello,
    current: PageSession | undefined,
  ): Promise<KeyedSession | PageRefusal> {
    const found = this.#options.isOpen ? OPEN_CALLER : await this.#callerOf(token)
    if ('refused' in found) return found
    const sid = this.#sids.get(hub)
    // One answer for both, so that the names of hubs cannot be found by trying.
    if (sid === undefined || !mayPublishOrListen(found, sid)) {
      return refused('There is no such hub here, or the token allows nothing on it')
    }
    const prefixKey = await this.#prefixKeyOf(found)
    // The key may have been replaced meanwhile, when this page was none yet that could be ended.
    if (!mayPublishOrListen(found, sid)) return { refused: 'The key has changed', isFinal: false }
    const identity = identityOf(found, current as KeyedSession | undefined)
    if (!this.#hasCapacity(found, identity, current as KeyedSession | undefined)) {
      return { refused: 'This token, identity or key has as many pages as it may have', isFinal: false }
    }
    return this.#sessionOf(found, sid, identity, prefixKey)
  }

  async #callerOf(token: string | undefined): Promise<Caller | PageRefusal> {
    if (token === undefined) return refused('This gateway wants a token')
    if (token.length > MAX_TOKEN_LENGTH) return refused('The token is not valid')
    const result = await callerOfToken(token, this.#options, Date.now())
    if (result.ok) return result.caller
    // A page asks for a token each time it connects: the next one may be younger.
    if (result.reason === 'expired') return { refused: 'The token has expired', isFinal: false }
    // Only its signer can have made it so, and should learn why.
    if (result.reason === 'tooLong') return refused('The token lives longer than it may here')
    return refused('The token is not valid')
  }

  /** The same at all gateways that have the key, while no page can learn anything of the key by it. */
  #prefixKeyOf({ keySid }: Caller): Promise<Uint8Array> {
    const key = this.#options.keys.signer(keySid)?.secretBytes ?? OPEN_KEY
    const known = this.#prefixKeys.get(key)
    if (known !== undefined) return known
    const prefixKey = derive(key)
    this.#prefixKeys.set(key, prefixKey)
    return prefixKey
  }

  #hasCapacity({ keySid }: Caller, identity: string, current: KeyedSession | undefined): boolean {
    // The page counts already; its session so far ends as soon as it is replaced.
    if (current?.identity === identity && current.keySid === keySid) return true
    return !this.#perKey.isUsedUp(keySid) && !this.#perIdentity.isUsedUp(identity)
  }

  #sessionOf(caller: Caller, sid: string, identity: string, prefixKey: Uint8Array): KeyedSession {
    const { keySid, expiresMs } = caller
    this.#perKey.add(keySid)
    this.#perIdentity.add(identity)
    return {
      relay: this.#options.relays.get(sid) as Relay,
      may: (action, streamName) => caller.may(ACTIONS[action], sid, streamName),
      ended: () => {
        this.#perKey.delete(keySid)
        this.#perIdentity.delete(identity)
      },
      keySid,
      identity,
      expiresMs,
      prefixKey,
    }
  }
}

function mayPublishOrListen({ may }: Caller, sid: string): boolean {
  return may('publish', sid) || may('listen', sid)
}

async function derive(bytes: Uint8Array): Promise<Uint8Array> {
  const algorithm = { name: 'HMAC', hash: 'SHA-256' }
  const key = await crypto.subtle.importKey('raw', bytes as BufferSource, algorithm, false, ['sign'])
  return new Uint8Array(await crypto.subtle.sign('HMAC', key, PURPOSE))
}

function refused(text: string): PageRefusal {
  return { refused: text, isFinal: true }
}

/**
 * Returns the identity of a page: the user in its token, whichever token that is. A token without a user is an identity
 * of its own, which the page keeps when it renews that token.
 */
function identityOf(caller: Caller, current: KeyedSession | undefined): string {
  const user = caller.identity ?? caller.subject
  if (user !== undefined) return `${caller.keySid}/${user}`
  if (current?.keySid === caller.keySid) return current.identity
  // Without keys no page is known, so each has an identity of its own.
  return caller === OPEN_CALLER ? crypto.randomUUID() : caller.holder
}
