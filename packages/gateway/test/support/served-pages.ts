import { createGateway, type GatewayOptions, type Grant, relay, type ServeOptions } from '@rivulet/twilio'
import { type WebSocketConstructor, websocket } from '@rivulet/websocket'
import { SignJWT } from 'jose'
import type { Hub, Transport } from 'rivulet'
import { onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { makeLive } from '../../../../test/support/live.ts'
import { SIGNER } from './access-token.ts'
import { ACCOUNT_KEY, SERVICE, type Served, servedGateway } from './served-gateway.ts'

/** Where pages go through to, and how the server is set. */
export interface Serving extends ServeOptions {
  readonly upstream?: Transport
  /** The name of the hub. */
  readonly name?: string
}

/** Serves a gateway with a hub that pages may join, on a free loopback port until the test ends. */
export async function servedPages(
  options: Partial<GatewayOptions> = {},
  { upstream, name = 'default', ...serving }: Serving = {},
): Promise<Served> {
  const carried = relay(upstream)
  const hub = makeLive({ name, transport: carried })
  await hub.ready()
  const access = options.open ? {} : { keys: [ACCOUNT_KEY, SIGNER] }
  const parts = { services: { [SERVICE]: hub }, relays: { [SERVICE]: carried } }
  const gateway = createGateway({ ...parts, ...access, ...options })
  const server = await servedGateway(gateway, serving)
  return { hub, gateway, server, url: server.url }
}

/** What a page of a test is. */
export interface PageParts {
  /** Called each time that the page connects. */
  readonly token?: () => string | Promise<string>
  /** The name of its hub. */
  readonly name?: string
  /** The `Origin` that a browser would send. */
  readonly origin?: string
  /** The authority of the server's certificate. */
  readonly ca?: string
}

/** Makes the hub of a page that runs in this process. The test closes it, and checks its ledger. */
export function pageHub(url: string, { token, name = 'default', ...socket }: PageParts = {}): Hub {
  const transport = websocket({
    url: pageUrlOf(url),
    WebSocket: socketOf(socket),
    ...(token !== undefined && { token }),
  })
  const hub = makeLive({ name, transport })
  hub.on('error', () => {})
  return hub
}

/** Makes the hub of a page, and waits until it is up. */
export async function readyPage(url: string, parts: PageParts = {}): Promise<Hub> {
  const hub = pageHub(url, parts)
  await hub.ready()
  return hub
}

/** Where pages connect. */
export function pageUrlOf(url: string): string {
  return `${url.replace(/^http/, 'ws')}/rivulet`
}

function socketOf(options: { readonly origin?: string; readonly ca?: string }): WebSocketConstructor {
  return class extends WebSocket {
    constructor(url: string) {
      super(url, options)
    }
  }
}

/** What stands in a browser token. */
export interface BrowserTokenParts {
  readonly grants?: readonly Grant[]
  readonly sub?: string
  readonly expiresInSeconds?: number
  readonly secret?: string
}

const EVERYTHING: readonly Grant[] = [{ allow: ['publish', 'listen', 'manage'] }]

/** Makes a browser token, as an application's server does. No two are equal. */
export function browserToken(parts: BrowserTokenParts = {}): Promise<string> {
  const { grants = EVERYTHING, sub, expiresInSeconds = 600, secret = SIGNER.secret } = parts
  const claims = { grants, jti: crypto.randomUUID(), ...(sub !== undefined && { sub }) }
  return new SignJWT(claims)
    .setProtectedHeader({ alg: 'HS256', kid: SIGNER.sid })
    .setExpirationTime(Date.now() / 1000 + expiresInSeconds)
    .sign(new TextEncoder().encode(secret))
}

/** Opens a WebSocket as a page's would be, without the transport. */
export function rawPage(url: string, headers: Record<string, string> = {}): WebSocket {
  const socket = new WebSocket(pageUrlOf(url), { headers })
  socket.on('error', () => {})
  onTestFinished(() => socket.terminate())
  return socket
}
