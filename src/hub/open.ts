import { TRANSPORT_PACKAGES } from '#transport-packages'
import { runOutside } from '../base/async-context.ts'
import { Overdue, withDeadline } from '../base/deadline.ts'
import { realEnvironment } from '../base/environment.ts'
import type { PlatformSignal } from '../base/platform-signal.ts'
import type { Transport, TransportModule } from '../connection/transport.ts'
import { invalid, messageOf, RivuletError, shown } from '../errors/errors.ts'
import { isRecord } from '../message/snapshot.ts'
import { type Checks, checkBoolean, checkNumber, checkOptions, checkSignal } from '../state/options.ts'
import { createHub, type Hub } from './hub.ts'
import type { HubOptions } from './options.ts'
import type { TransportPackage } from './transport-package.ts'

/**
 * The configuration of `openHub`: a URL, URLs of several servers of one scheme, or an object with these and the hub's
 * options.
 */
export type HubConfig = string | readonly string[] | HubConfigObject

/** A configuration, for example from a JSON file; a transport may also be given as an object. */
export interface HubConfigObject extends Omit<HubOptions, 'transport'> {
  /** A URL, URLs of several servers of one scheme, or a transport of a third party. */
  readonly transport: string | readonly string[] | Transport
}

/** The options of `openHub`. */
export interface OpenOptions {
  /** Gives up when it aborts, with its reason. */
  readonly signal?: PlatformSignal | undefined
  /** The longest wait for the broker, in milliseconds: 1 to 2³¹−1. @default 10000 */
  readonly timeoutMs?: number | undefined
  /** Whether to wait for the broker: without it the hub may start while the broker is away. @default true */
  readonly wait?: boolean | undefined
}

const DEFAULTS = { signal: undefined as AbortSignal | undefined, timeoutMs: 10_000, wait: true }
const CHECKS: Checks<typeof DEFAULTS> = {
  signal: checkSignal,
  timeoutMs: (value) => checkNumber('timeoutMs', value, 1, 2 ** 31 - 1),
  wait: (value) => checkBoolean('wait', value),
}

/**
 * Opens a hub by configuration and resolves when it is ready. The scheme of the URL picks the package, which must be
 * installed: `memory:` @rivulet/memory; `mqtt:` `mqtts:` `mqtt+ws:` `mqtt+wss:` @rivulet/mqtt; `nats:` `tls:`
 * @rivulet/nats; `redis:` `rediss:` `valkey:` `valkeys:` and, with Sentinels, `redis-sentinel:` `rediss-sentinel:`
 * `valkey-sentinel:` `valkeys-sentinel:` @rivulet/redis; `replay:` @rivulet/replay, a recording; `threads:`
 * @rivulet/threads; `ws:` `wss:` @rivulet/websocket. `?name=` in a URL is the hub's name. With `{ wait: false }` it
 * resolves as soon as the package is loaded, and the hub keeps trying to connect. Rejects `INVALID_OPTIONS`;
 * `TRANSPORT_MISSING` when the package is not installed; `TRANSPORT_UNAVAILABLE` past `timeoutMs` with the last cause;
 * `TRANSPORT_FAILED` when the broker refuses for good; or with `signal.reason`. The hub is closed then.
 */
export function openHub(config: HubConfig, options?: OpenOptions): Promise<Hub> {
  return openHubWith(TRANSPORT_PACKAGES, config, options)
}

/**
 * Makes the transport of a URL, or of several of one scheme, as `openHub` does, without a hub: to put another transport
 * around it. `?name=` has no meaning here. Rejects `INVALID_OPTIONS`, `TRANSPORT_MISSING`.
 */
export function loadTransport(urls: string | readonly string[]): Promise<Transport> {
  return loadTransportWith(TRANSPORT_PACKAGES, urls)
}

/** Opens a hub with one of these packages; see {@link openHub}. */
export async function openHubWith(
  packages: readonly TransportPackage[],
  config: HubConfig,
  options: OpenOptions = {},
): Promise<Hub> {
  const { signal, timeoutMs, wait } = checkOptions('openHub', options, DEFAULTS, CHECKS)
  signal?.throwIfAborted()
  const hubOptions = await hubOptionsOf(packages, config)
  signal?.throwIfAborted()
  const hub = createHub(hubOptions)
  if (wait) await becomeReady(hub, timeoutMs, signal)
  return hub
}

/** Makes the transport of one of these packages; see {@link loadTransport}. */
export async function loadTransportWith(
  packages: readonly TransportPackage[],
  given: string | readonly string[],
): Promise<Transport> {
  return (await transportOf(packages, given)).transport
}

async function becomeReady(hub: Hub, timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
  let lastCause: unknown
  const remember = (error: unknown) => {
    lastCause = error
  }
  hub.on('error', remember)
  try {
    await withDeadline(realEnvironment, 'Opening', timeoutMs, signal, () => hub.ready())
    hub.off('error', remember)
  } catch (error) {
    await hub.close()
    throw error instanceof Overdue ? tooLate(timeoutMs, hub.name, lastCause) : error
  }
}

function tooLate(timeoutMs: number, hub: string, cause: unknown): RivuletError {
  // The error of the connection has the hub's name, too.
  const last = cause === undefined ? '' : ` Last: ${messageOf(cause).replace(` (hub "${hub}")`, '')}`
  const message = `The transport was not up within ${timeoutMs} ms; check its address and that the broker runs.${last}`
  return new RivuletError('TRANSPORT_UNAVAILABLE', message, { cause, hub })
}

async function hubOptionsOf(packages: readonly TransportPackage[], config: unknown): Promise<HubOptions> {
  const given: unknown = typeof config === 'string' || Array.isArray(config) ? { transport: config } : config
  if (!isRecord(given))
    throw invalid(`openHub takes a URL, a list of URLs, or { transport, … }, not ${shown(given)}.`)
  if (isRecord(given.transport)) return given
  const made = await transportOf(packages, given.transport)
  const name = given.name ?? made.name
  return { ...given, transport: made.transport, ...(name === undefined ? {} : { name }) } as HubOptions
}

/** Makes a transport, and returns the hub's name when a URL has one. */
async function transportOf(
  packages: readonly TransportPackage[],
  given: unknown,
): Promise<{ readonly transport: Transport; readonly name: string | undefined }> {
  const urls = typeof given === 'string' ? [given] : given
  if (!Array.isArray(urls)) {
    throw invalid('The configuration has no transport: a URL, a list of URLs, or a Transport.')
  }
  const [first, ...others] = urls.map((url) => parse(packages, url))
  if (first === undefined) throw invalid('The list of URLs is empty.')
  if (others.some(({ scheme }) => scheme !== first.scheme))
    throw invalid('The URLs of one hub have one scheme.')
  const { transportFromUrls } = await load(first.from)
  const parsed = [first, ...others]
  const name = parsed.find(({ name }) => name !== undefined)?.name
  return { transport: transportFromUrls(parsed.map(({ url }) => url)), name }
}

interface TransportUrl {
  readonly from: TransportPackage
  readonly scheme: string
  readonly url: string
  readonly name: string | undefined
}

/** Schemes with a name or a path instead of a host. */
const WITHOUT_HOST: readonly string[] = ['memory:', 'replay:', 'threads:']

/** Takes `?name=` out of a URL; the rest is the transport's, and no error shows it: it may be a secret. */
function parse(packages: readonly TransportPackage[], given: unknown): TransportUrl {
  const url = typeof given === 'string' ? given : ''
  const scheme = /^[a-z][a-z0-9+.-]*:/i.exec(url)?.[0].toLowerCase() ?? ''
  const from = packages.find(({ schemes }) => schemes.includes(scheme))
  if (from === undefined) {
    // `localhost:4222` looks like a scheme, too.
    const isHost = scheme === '' || /^[^/]*:\d+(\/|\?|$)/.test(url)
    const reason = isHost
      ? 'this one has no scheme; did you mean nats://host:port or mqtt://host:port?'
      : `not ${scheme}`
    const known = packages.flatMap(({ schemes }) => schemes).join(' ')
    throw invalid(`A transport's URL starts with ${known}, ${reason}`)
  }
  if (!WITHOUT_HOST.includes(scheme) && !url.startsWith('//', scheme.length)) {
    throw invalid(`A URL with ${scheme} has two slashes; did you mean ${scheme}//host:port?`)
  }
  const [address = '', ...query] = url.split('?')
  // By hand: `URLSearchParams` would rewrite the rest.
  const parameters = query.join('?').split('&')
  const rest = parameters.filter((parameter) => !parameter.startsWith('name=')).join('&')
  const name = parameters.find((parameter) => parameter.startsWith('name='))?.slice('name='.length)
  return { from, scheme, name, url: rest === '' ? address : `${address}?${rest}` }
}

async function load({ name, load }: TransportPackage): Promise<TransportModule> {
  try {
    return (await runOutside(load)) as TransportModule // a client may start timers as it is loaded
  } catch (cause) {
    if (!isMissing(cause, name)) throw cause
    const message = `${name} is not installed; run: npm install ${name}`
    throw new RivuletError('TRANSPORT_MISSING', message, { cause })
  }
}

// Proven in a process of its own, where no transport is installed, so coverage does not see it.
/** Returns whether this very package is missing: an installed one that fails to load has an error of its own. */
function isMissing(cause: unknown, name: string): boolean {
  const { code, message } = cause as { code?: unknown; message?: unknown }
  return (
    (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') && String(message).includes(`'${name}'`)
  )
}
