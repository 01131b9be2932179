import { Overdue, withDeadline } from './deadline.ts'
import { RivuletError } from './errors.ts'
import { createHub, type Hub } from './hub.ts'
import type { HubOptions } from './hub-options.ts'
import { checkNumber, checkSignal, invalid, shown } from './options.ts'
import { isRecord } from './snapshot.ts'
import type { Transport, TransportModule } from './transport.ts'

/** What `openHub` opens: a URL, URLs of several servers of one scheme, or those with the hub's options. */
export type HubConfig = string | readonly string[] | HubConfigObject

/** A configuration as it may stand in a JSON file; a transport may also be given as an object. */
export interface HubConfigObject extends Omit<HubOptions, 'transport'> {
  /** A URL, URLs of several servers of one scheme, or a transport of a third party. */
  readonly transport: string | readonly string[] | Transport
}

const DEFAULT_TIMEOUT_MS = 10_000

/** The packages, with the schemes of their URLs. The imports are literal, so that bundlers see them. */
const PACKAGES = {
  '@rivulet/memory': { schemes: ['memory:'], load: () => import('@rivulet/memory').catch(fail) },
  '@rivulet/mqtt': {
    schemes: ['mqtt:', 'mqtts:', 'mqtt+ws:', 'mqtt+wss:'],
    load: () => import('@rivulet/mqtt').catch(fail),
  },
  '@rivulet/nats': { schemes: ['nats:', 'tls:'], load: () => import('@rivulet/nats').catch(fail) },
}
const SCHEMES = Object.values(PACKAGES).flatMap(({ schemes }) => schemes)

/**
 * Opens a hub by configuration and resolves when its transport is up. The scheme picks the package, which must be
 * installed: `memory:` @rivulet/memory; `mqtt:` `mqtts:` `mqtt+ws:` `mqtt+wss:` @rivulet/mqtt; `nats:` `tls:`
 * @rivulet/nats. `?name=` in a URL is the hub's name. Rejects `INVALID_OPTIONS`; `TRANSPORT_UNAVAILABLE` past
 * `timeoutMs` (10 000) with the last cause, or when a package is missing; `TRANSPORT_FAILED` when the broker
 * refuses for good; or with `signal.reason`. The hub is closed then.
 */
export async function openHub(
  config: HubConfig,
  options: { readonly signal?: AbortSignal; readonly timeoutMs?: number } = {},
): Promise<Hub> {
  const { signal, timeoutMs = DEFAULT_TIMEOUT_MS } = options
  checkSignal(signal)
  checkNumber('timeoutMs', timeoutMs, 1, 2 ** 31 - 1)
  signal?.throwIfAborted()
  const hub = createHub(await hubOptionsOf(config))
  let lastCause: unknown
  const remember = (error: unknown) => {
    lastCause = error
  }
  hub.on('error', remember)
  try {
    await withDeadline('Opening', timeoutMs, signal, (deadline) => hub.ready({ signal: deadline }))
    hub.off('error', remember)
    return hub
  } catch (error) {
    await hub.close()
    throw error instanceof Overdue ? tooLate(timeoutMs, lastCause) : error
  }
}

function tooLate(timeoutMs: number, cause: unknown): RivuletError {
  const last = cause === undefined ? '' : ` Last: ${messageOf(cause)}`
  const message = `The transport was not up within ${timeoutMs} ms; check its address and that the broker runs.${last}`
  return new RivuletError('TRANSPORT_UNAVAILABLE', message, { cause })
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : shown(cause)
}

async function hubOptionsOf(config: HubConfig): Promise<HubOptions> {
  const given: unknown = typeof config === 'string' || Array.isArray(config) ? { transport: config } : config
  if (!isRecord(given)) throw invalid('openHub takes a URL, a list of URLs, or { transport, … }.')
  const { transport, ...options } = given
  if (isRecord(transport)) return given
  const urls = typeof transport === 'string' ? [transport] : transport
  if (Array.isArray(urls)) {
    const { transport, name } = await fromUrls(urls)
    return { ...options, transport, name: options.name ?? name } as HubOptions
  }
  throw invalid('The configuration has no transport: a URL, a list of URLs, or a Transport.')
}

async function fromUrls(urls: readonly unknown[]): Promise<Pick<HubOptions, 'transport' | 'name'>> {
  const parsed = urls.map(parse)
  const [first] = parsed
  if (first === undefined) throw invalid('The list of URLs is empty.')
  if (parsed.some(({ scheme }) => scheme !== first.scheme)) {
    throw invalid('The URLs of one hub have one scheme.')
  }
  const { transportFromUrls } = await load(first.scheme)
  const addresses = parsed.map(({ url }) => url)
  const transport = makeTransport(addresses, transportFromUrls)
  return { transport, name: parsed.find(({ name }) => name !== undefined)?.name }
}

function makeTransport(urls: readonly string[], fromUrls: TransportModule['transportFromUrls']): Transport {
  try {
    return fromUrls(urls)
  } catch (cause) {
    if (RivuletError.is(cause)) throw cause
    throw new RivuletError('INVALID_OPTIONS', `The transport refuses its URL: ${messageOf(cause)}`, { cause })
  }
}

/** Takes `?name=` out of a URL; the rest is the transport's. No part of it goes into an error: it may be a secret. */
function parse(url: unknown): { scheme: string; url: string; name: string | undefined } {
  const scheme = typeof url === 'string' ? /^[a-z][a-z0-9+.-]*:/i.exec(url)?.[0].toLowerCase() : undefined
  if (scheme === undefined || !SCHEMES.includes(scheme)) {
    const given = scheme === undefined ? 'this one has no scheme' : `not ${scheme}`
    throw invalid(`A transport's URL starts with ${SCHEMES.join(' ')}, ${given}.`)
  }
  const [address, ...query] = (url as string).split('?')
  // By hand: `URLSearchParams` is not everywhere, and would write the rest anew.
  const parameters = query.join('?').split('&')
  const rest = parameters.filter((parameter) => !parameter.startsWith('name=')).join('&')
  const name = parameters.find((parameter) => parameter.startsWith('name='))?.slice('name='.length)
  return { scheme, name, url: rest === '' ? (address as string) : `${address}?${rest}` }
}

/** Throws on: the `.catch` tells bundlers that the package may be missing. */
function fail(cause: unknown): never {
  throw cause
}

async function load(scheme: string): Promise<TransportModule> {
  const [name, { load }] = Object.entries(PACKAGES).find(([, { schemes }]) => schemes.includes(scheme)) as [
    string,
    { load(): Promise<unknown> },
  ]
  try {
    return (await load()) as TransportModule
  } catch (cause) {
    if (!isMissing(cause, name)) throw cause
    const message = `${name} is not installed; run: npm install ${name}`
    throw new RivuletError('TRANSPORT_UNAVAILABLE', message, { cause })
  }
}

// Proven in a process of its own, where no transport is installed, so coverage does not see it.
/** Only that very package counts: one that is installed and fails to load has its own story to tell. */
function isMissing(cause: unknown, name: string): boolean {
  const { code, message } = cause as { code?: unknown; message?: unknown }
  return (
    (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') && String(message).includes(`'${name}'`)
  )
}
