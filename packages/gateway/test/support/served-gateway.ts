import {
  createGateway,
  type GatewayOptions,
  type GatewayServer,
  type ServeOptions,
  serve,
  type TwilioGateway,
} from '@rivulet/twilio'
import { createHub, type Hub } from 'rivulet'
import { onTestFinished } from 'vitest'

export const ACCOUNT = `AC${'1'.repeat(32)}`
export const TOKEN = 'the-auth-token-of-the-account'
export const SERVICE = `IS${'2'.repeat(32)}`
export const ACCOUNT_KEY = { sid: ACCOUNT, secret: TOKEN }

export interface Served {
  readonly hub: Hub
  readonly gateway: TwilioGateway
  readonly server: GatewayServer
  readonly url: string
}

/** Serves a gateway over a local hub on a free loopback port until the test ends. */
export async function served(
  options: Partial<GatewayOptions> = {},
  serving: ServeOptions = {},
): Promise<Served> {
  const hub = createHub()
  const access = options.open ? {} : { keys: [ACCOUNT_KEY] }
  const gateway = createGateway({ services: { [SERVICE]: hub }, ...access, ...options })
  onTestFinished(() => hub.close().then(() => {}))
  const server = await servedGateway(gateway, serving)
  return { hub, gateway, server, url: server.url }
}

/** Serves a gateway on a free loopback port until the test ends. */
export async function servedGateway(
  gateway: TwilioGateway,
  serving: ServeOptions = {},
): Promise<GatewayServer> {
  const server = await serve(gateway, { port: 0, ...serving })
  onTestFinished(() => server.close({ timeoutMs: 500 }))
  return server
}
