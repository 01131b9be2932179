import { setTimeout as pause } from 'node:timers/promises'
import { decode, encodeText, KIND, type ProtocolMessage } from '@rivulet/websocket/protocol'
import type { Transport, TransportHost } from 'rivulet'
import { onTestFinished } from 'vitest'
import {
  type PageHandler,
  type PageSession,
  type PageSocket,
  type Pages,
  type PagesOptions,
  type Relay,
  relay,
  servePages,
} from '../../src/relay.ts'
import { secretOf } from './frames.ts'
import { HUB } from './scene.ts'
import { openSession } from './sessions.ts'

export const HOST = { hub: HUB, receive() {}, watched() {}, down() {}, error() {}, left() {} }

/** A socket that takes what it is given, or does not. */
export class HandSocket implements PageSocket {
  readonly sent: Uint8Array[] = []
  readonly ends: (number | 'terminated')[] = []
  /** Why it was closed. */
  reason = ''
  isReading = true
  bufferedBytes = 0

  send(bytes: Uint8Array): void {
    this.sent.push(bytes)
    if (!this.isReading) this.bufferedBytes += bytes.length
  }

  close(code: number, reason = ''): void {
    this.ends.push(code)
    this.reason = reason
  }

  terminate(): void {
    this.ends.push('terminated')
  }

  count(kind: number): number {
    return this.sent.filter((bytes) => bytes[0] === kind).length
  }

  /** What it was given, read; and nothing is left of it. */
  take(): { kind: number; id: number; topic: string; text: string }[] {
    return this.sent.splice(0).map((bytes) => {
      const { kind, id, topic, rest } = decode(bytes) as ProtocolMessage
      return { kind, id, topic, text: new TextDecoder().decode(rest) }
    })
  }
}

/** A page whose socket a test plays. */
export interface HandPage {
  readonly socket: HandSocket
  readonly page: PageHandler
}

/** What differs from pages that may everything, at usual limits, over a relay that is open. */
export interface HandPagesOptions extends Partial<PagesOptions> {
  readonly upstream?: Transport
  readonly host?: TransportHost
  /** What a page's session has that differs, by its token. */
  readonly session?: (token: string) => Partial<PageSession>
}

/** Pages without a network between. */
export interface HandPages {
  readonly relay: Relay
  readonly pages: Pages
  /** Opens a page that has said nothing. */
  connect(): HandPage
  /** Has a page say hello. Its secret is its token's. */
  greet(page: PageHandler, token: string, secret?: string): void
  /** Opens a page, and has it welcomed. */
  enter(token: string, secret?: string): Promise<HandPage>
}

/** Waits by the real clock, also where a test has stopped all others: no time passes for pages. */
export async function until(isSo: () => boolean): Promise<void> {
  for (let waits = 0; !isSo(); waits++) {
    if (waits === MOST_WAITS) throw new Error(`This has not become true within a minute: ${isSo}`)
    await pause(1)
  }
}

const MOST_WAITS = 60_000

/** Serves pages by hand. All of it ends with the test. */
export async function pagesByHand(options: HandPagesOptions = {}): Promise<HandPages> {
  const { upstream, host = HOST, session, ...others } = options
  const made = relay(upstream)
  await made.open(host, new AbortController().signal)
  const pages = servePages({
    authenticate: async ({ token = '' }) => ({ ...openSession(made, token), ...session?.(token) }),
    ...others,
  })
  onTestFinished(() => pages.close())
  const connect = () => {
    const socket = new HandSocket()
    return { socket, page: pages.accept(socket) }
  }
  const greet = (page: PageHandler, token: string, secret = secretOf(token)) =>
    page.receive(encodeText(KIND.hello, JSON.stringify({ version: 1, hub: HUB, secret, token })))
  const enter = async (token: string, secret?: string) => {
    const { socket, page } = connect()
    greet(page, token, secret)
    await until(() => socket.count(KIND.welcome) === 1)
    return { socket, page }
  }
  return { relay: made, pages, connect, greet, enter }
}
