import { websocket } from '@rivulet/websocket'
import type { Hub, HubOptions, Transport } from 'rivulet'
import { onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { makeLive } from '../../../../test/support/live.ts'
import { type PageSession, type PagesOptions, type Relay, relay, servePages } from '../../src/relay.ts'
import { secretOf } from './frames.ts'
import { PageServer } from './page-server.ts'
import { RawPage } from './raw-page.ts'
import { openSession } from './sessions.ts'

export const HUB = 'fleet'

/** What differs from a page that may everything, at usual limits. */
export interface SceneOptions extends Partial<PagesOptions> {
  readonly upstream?: Transport
  /** What a page's session has that differs, by its token. */
  readonly session?: (token: string) => Partial<PageSession>
}

/** A service whose hub has a relay, and the server of its pages. */
export interface Scene {
  readonly relay: Relay
  readonly hub: Hub
  readonly server: PageServer
  /** What the service's hub and those of the pages have told as errors. */
  readonly errors: string[]
  /** Opens a page's hub. Its token is its identity. */
  page(identity: string, options?: HubOptions): Promise<Hub>
  /** Opens a page by hand: nothing is sent that a test does not send. */
  raw(): Promise<RawPage>
  /** Opens a page by hand, and has it welcomed. Its secret is its identity's, if none is given. */
  welcomed(identity: string, secret?: string): Promise<RawPage>
}

/** Starts a service. All of it ends with the test. */
export async function serve({ upstream, session, ...options }: SceneOptions = {}): Promise<Scene> {
  const made = relay(upstream)
  const hub = makeLive({ transport: made, name: HUB, streamDefaults: { limit: false } })
  const errors: string[] = []
  hub.on('error', ({ message }) => errors.push(message))
  const pages = servePages({
    authenticate: async ({ token = '' }) => ({ ...openSession(made, token), ...session?.(token) }),
    ...options,
  })
  const server = new PageServer(pages)
  await server.start()
  onTestFinished(() => server.close())
  const raw = async () => {
    const page = await RawPage.connect(server.url)
    onTestFinished(() => page.terminate())
    return page
  }
  return {
    relay: made,
    hub,
    server,
    errors,
    raw,
    page: async (identity, hubOptions) => {
      const transport = websocket({ url: server.url, WebSocket, token: () => identity })
      const page = makeLive({ transport, name: HUB, ...hubOptions })
      page.on('error', ({ message }) => errors.push(message))
      await page.ready({ signal: AbortSignal.timeout(20_000) })
      return page
    },
    welcomed: async (identity, secret = secretOf(identity)) => {
      const page = await raw()
      page.hello({ version: 1, hub: HUB, secret, token: identity })
      await page.next('welcome')
      return page
    },
  }
}
