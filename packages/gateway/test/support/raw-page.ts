import { once } from 'node:events'
import {
  decode,
  encodeNumbered,
  encodeText,
  encodeTopical,
  KIND,
  type Kind,
} from '@rivulet/websocket/protocol'
import { WebSocket } from 'ws'

type KindName = keyof typeof KIND

/** A message that a page received. */
export interface RawMessage {
  readonly kind: KindName
  readonly id: number
  readonly topic: string
  readonly text: string
}

/** A page by hand: it answers pings, and does nothing else by itself. */
export class RawPage {
  /** Everything that came, pings excepted. */
  readonly received: RawMessage[] = []
  /** Resolves when the connection is closed. */
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>
  readonly socket: WebSocket
  answersPings = true
  #waiting: (() => void)[] = []
  #lastId = 0

  static async connect(url: string): Promise<RawPage> {
    const page = new RawPage(new WebSocket(url))
    await once(page.socket, 'open')
    return page
  }

  constructor(socket: WebSocket) {
    this.socket = socket
    this.closed = new Promise((resolve) => {
      socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() }))
    })
    socket.on('error', () => {})
    socket.on('message', (data: Buffer) => this.#hear(data))
  }

  hello(hello: unknown): void {
    this.text('hello', JSON.stringify(hello))
  }

  text(kind: KindName, text = ''): void {
    this.send(encodeText(KIND[kind], text))
  }

  topical(kind: KindName, topic: string, rest: Uint8Array | string = ''): void {
    this.send(encodeTopical(KIND[kind], topic, rest))
  }

  send(bytes: Uint8Array | string): void {
    this.socket.send(bytes)
  }

  /** Asks for a topic, and gives the answer. */
  async join(topic: string): Promise<RawMessage> {
    const id = ++this.#lastId
    this.send(encodeNumbered(KIND.join, id, topic))
    return this.#until(
      ({ kind, id: answered }) => (kind === 'joined' || kind === 'refused') && answered === id,
    )
  }

  /** Waits until the server has taken everything that was sent before. */
  async barrier(): Promise<void> {
    const id = ++this.#lastId
    this.send(encodeNumbered(KIND.barrier, id))
    await this.#until(({ kind, id: answered }) => kind === 'barrier' && answered === id)
  }

  /** Gives the first message of a kind that came, or comes. */
  next(kind: KindName): Promise<RawMessage> {
    return this.#until((message) => message.kind === kind)
  }

  all(kind: KindName): RawMessage[] {
    return this.received.filter((message) => message.kind === kind)
  }

  terminate(): void {
    this.socket.terminate()
  }

  async #until(isMeant: (message: RawMessage) => boolean): Promise<RawMessage> {
    for (;;) {
      const found = this.received.find(isMeant)
      if (found !== undefined) return found
      const ended = await Promise.race([
        new Promise<undefined>((resolve) => this.#waiting.push(() => resolve(undefined))),
        this.closed,
      ])
      if (ended !== undefined) throw new Error(`closed with ${ended.code}: ${ended.reason}`)
    }
  }

  #hear(data: Buffer): void {
    const message = decode(data)
    if (message === undefined) throw new Error('The server sent a malformed message.')
    if (message.kind === KIND.ping) {
      if (this.answersPings) this.send(encodeText(KIND.pong))
      return
    }
    const { id, topic, rest } = message
    this.received.push({ kind: nameOf(message.kind), id, topic, text: new TextDecoder().decode(rest) })
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }
}

function nameOf(kind: Kind): KindName {
  return Object.entries(KIND).find(([, number]) => number === kind)?.[0] as KindName
}
