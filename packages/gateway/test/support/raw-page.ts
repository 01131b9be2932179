import { once } from 'node:events'
import { onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { pageUrlOf } from './served-pages.ts'

/** The kinds of messages in version 1 of the protocol of `@rivulet/websocket`. */
export const KIND = {
  ...{ hello: 1, join: 2, leave: 3, frame: 4, barrier: 5, token: 6, pong: 7 },
  ...{ welcome: 17, joined: 18, refused: 19, left: 20, renewed: 21, fault: 22, bound: 23, ping: 24 },
} as const

/** A page that speaks the protocol by hand, so that it can break every rule of it. It answers pings. */
export class RawPage {
  readonly socket: WebSocket
  /** Resolves to the code of the close. */
  readonly closed: Promise<number>
  /** The messages that came, by kind. */
  readonly received: Buffer[] = []
  isClosed = false

  constructor(url: string) {
    this.socket = new WebSocket(pageUrlOf(url), { perMessageDeflate: false })
    onTestFinished(() => this.socket.terminate())
    this.socket.on('error', () => {})
    this.closed = new Promise((resolve) => {
      this.socket.on('close', (code) => {
        this.isClosed = true
        resolve(code)
      })
    })
    this.socket.on('message', (data: Buffer) => {
      if (data[0] === KIND.ping) this.send(KIND.pong)
      else this.received.push(data)
    })
  }

  /** Opens a page that says nothing. */
  static async open(url: string): Promise<RawPage> {
    const page = new RawPage(url)
    await once(page.socket, 'open')
    return page
  }

  /** Opens a page and has it let in. */
  static async letIn(url: string, token?: string, hub = 'default'): Promise<RawPage> {
    const page = await RawPage.open(url)
    page.hello({ version: 1, hub, ...(token !== undefined && { token }) })
    await page.next(KIND.welcome)
    return page
  }

  hello(said: object): void {
    this.send(KIND.hello, Buffer.from(JSON.stringify(said)))
  }

  send(kind: number, ...parts: readonly Uint8Array[]): void {
    this.socket.send(Buffer.concat([Buffer.from([kind]), ...parts]))
  }

  join(id: number, topic: string): void {
    this.send(KIND.join, numbered(id), Buffer.from(topic))
  }

  frame(topic: string, frame: string): void {
    const length = Buffer.alloc(2)
    length.writeUInt16BE(Buffer.byteLength(topic))
    this.send(KIND.frame, length, Buffer.from(topic), Buffer.from(frame))
  }

  /** Resolves when the server has answered a barrier, and so has taken everything sent before. */
  async barrier(id: number): Promise<void> {
    this.send(KIND.barrier, numbered(id))
    await this.next(KIND.barrier)
  }

  /** Takes the next message of a kind; earlier ones of other kinds stay. */
  async next(kind: number): Promise<Buffer> {
    for (;;) {
      const index = this.received.findIndex(([first]) => first === kind)
      if (index !== -1) return this.received.splice(index, 1)[0] as Buffer
      if (this.isClosed) throw new Error(`The page was closed with ${await this.closed}.`)
      await Promise.race([once(this.socket, 'message'), this.closed])
    }
  }

  /** How many messages of a kind are there. */
  countOf(kind: number): number {
    return this.received.filter(([first]) => first === kind).length
  }
}

/** Names a stream as the core does, for names that need no encoding. */
export function topicOf(stream: string, hub = 'default'): string {
  return `rivulet/${hub}/${stream}`
}

/** Writes a frame with one message, of the publisher with that prefix. */
export function frameOf(prefix: string, number: number, data: object = {}): string {
  const sid = `TZ${prefix}0000${number.toString(16).padStart(16, '0')}`
  return JSON.stringify({ data, sid, t: number })
}

function numbered(id: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(id)
  return bytes
}
