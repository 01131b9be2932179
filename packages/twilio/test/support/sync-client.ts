import { once } from 'node:events'
import type { GatewayOptions, ServeOptions } from '@rivulet/twilio'
import { SyncClient, type SyncStream } from 'twilio-sync'
import { onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { accessToken, forgedAccessToken, SIGNER } from '../../../gateway/test/support/access-token.ts'
import { ACCOUNT_KEY, SERVICE, served } from '../../../gateway/test/support/served-gateway.ts'

const { close } = WebSocket.prototype
/**
 * The SDK takes its listeners off a socket and then closes it. While that socket is connecting, `ws` reports an error, which
 * without a listener ends the process.
 */
WebSocket.prototype.close = function (...args) {
  if (this.readyState === WebSocket.CONNECTING) this.on('error', () => {})
  close.apply(this, args)
}

export const KEYS = [ACCOUNT_KEY, SIGNER] as const

/** Serves a gateway to which client SDKs may come. */
export function servedSync(options: Partial<GatewayOptions> = {}, serving: ServeOptions = {}) {
  return served(
    { keys: KEYS, ...options, limits: { streams: { creationsPerSecond: 1000 }, ...options.limits } },
    serving,
  )
}

/** Makes an access token of that user. */
export function tokenOf(identity: string, service = SERVICE): string {
  return accessToken({ identity, service })
}

/**
 * Makes an access token that the gateway accepts for so long: a minute longer than its `exp` says, since clocks may
 * differ by that.
 */
export function shortToken(identity: string, acceptedMs: number, secret = SIGNER.secret): Promise<string> {
  const exp = Date.now() / 1000 + acceptedMs / 1000 - 60
  const grants = { identity, data_sync: { service_sid: SERVICE } }
  return forgedAccessToken({}, { exp, grants }, new TextEncoder().encode(secret))
}

/** Where client SDKs connect. */
export function wsUrlOf(url: string): string {
  return `${url.replace(/^http/, 'ws')}/v3/wsconnect`
}

/** Makes an official client SDK that comes back within moments, until the test ends. */
export function syncClient(url: string, token: string): SyncClient {
  const options = {
    twilsock: { uri: wsUrlOf(url) },
    retryPolicy: { min: 20, max: 100, randomness: 0 },
    logLevel: 'silent',
  }
  const client = new SyncClient(token, options as ConstructorParameters<typeof SyncClient>[1])
  onTestFinished(() => client.shutdown())
  return client
}

/** Makes a client SDK, and waits until it is connected. */
export async function connected(url: string, identity = 'alice'): Promise<SyncClient> {
  const client = syncClient(url, tokenOf(identity))
  await state(client, 'connected')
  return client
}

/** Resolves when the client is in that state. */
export async function state(client: SyncClient, wanted: string): Promise<void> {
  while (client.connectionState !== wanted) await event(client, 'connectionStateChanged')
}

/** Resolves to what the next event of that name brings. */
// biome-ignore lint/suspicious/noExplicitAny: each event brings something else.
export async function event(emitter: unknown, name: string): Promise<any> {
  const [value] = await once(emitter as NodeJS.EventEmitter, name)
  return value
}

/** Resolves when the server has confirmed that the stream is subscribed to. Right after it was opened. */
export async function established(stream: SyncStream): Promise<SyncStream> {
  while ((await event(stream, '_subscriptionStateChanged')) !== 'established');
  return stream
}

/** Opens a stream, and waits until it is subscribed to. */
export async function opened(client: SyncClient, ...args: Parameters<SyncClient['stream']>) {
  return established(await client.stream(...args))
}

export interface Heard {
  readonly value: unknown
  readonly isLocal: boolean
}

/** Collects what a stream emits; `count` resolves when there is so much. */
export class Ears {
  readonly heard: Heard[] = []
  readonly #stream: SyncStream

  constructor(stream: SyncStream) {
    this.#stream = stream
    stream.on('messagePublished', ({ message, isLocal }) => this.heard.push({ value: message.data, isLocal }))
  }

  async count(expected: number): Promise<Heard[]> {
    while (this.heard.length < expected) await event(this.#stream, 'messagePublished')
    return this.heard
  }
}
