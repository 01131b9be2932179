import { once } from 'node:events'
import { onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { tokenOf, wsUrlOf } from './sync-client.ts'

export interface RawFrame {
  // biome-ignore lint/suspicious/noExplicitAny: tests look into JSON of many forms.
  readonly header: any
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  readonly payload: any
}

/** A client that sends frames as it likes. */
export class RawSdk {
  readonly frames: RawFrame[] = []
  readonly socket: WebSocket
  /** Resolves when the socket is closed, to its code. */
  readonly closed: Promise<number>
  readonly #changed = new Set<() => void>()
  #lastId = 0

  constructor(url: string) {
    this.socket = new WebSocket(wsUrlOf(url))
    this.socket.on('message', (data: Buffer) => {
      this.frames.push(parseFrame(data))
      for (const tell of this.#changed) tell()
      this.#changed.clear()
    })
    this.socket.on('error', () => {})
    this.closed = once(this.socket, 'close').then(([code]) => code)
    onTestFinished(() => this.socket.terminate())
  }

  /** Resolves when it may send. */
  async open(): Promise<this> {
    await once(this.socket, 'open')
    return this
  }

  /** Says who it is, and resolves when the gateway has accepted that. */
  async init(token = tokenOf('alice')): Promise<this> {
    const reply = await this.ask({ method: 'init', token })
    if (reply.header.status.code !== 200) throw new Error(JSON.stringify(reply.header))
    return this
  }

  /** Sends a frame, and resolves to its reply. */
  async ask(header: object, payload = ''): Promise<RawFrame> {
    const id = this.say(header, payload)
    return this.until((frame) => frame.header.id === id)
  }

  /** Sends a request in a frame, and resolves to its reply. */
  request(method: string, path: string, body?: unknown): Promise<RawFrame> {
    return this.ask(requestHeader(method, path), body === undefined ? '' : JSON.stringify(body))
  }

  /** Sends a frame; gives its id. */
  say(header: object, payload = ''): string {
    this.#lastId += 1
    const id = `TM-${this.#lastId}`
    this.socket.send(rawFrame({ id, ...header }, payload))
    return id
  }

  /** Resolves to the first frame for which it is true. */
  async until(isIt: (frame: RawFrame) => boolean): Promise<RawFrame> {
    for (;;) {
      const found = this.frames.find(isIt)
      if (found !== undefined) return found
      const isOver = await Promise.race([
        new Promise<false>((resolve) => this.#changed.add(() => resolve(false))),
        this.closed.then(() => true as const),
      ])
      if (isOver && !this.frames.some(isIt)) throw new Error('The gateway has closed the socket.')
    }
  }
}

export function requestHeader(method: string, path: string): object {
  return { method: 'message', http_request: { host: 'cds.us1.twilio.com', method, path, params: {} } }
}

/** Writes a frame, in other code than that of the gateway. */
export function rawFrame(header: object, payload = ''): Buffer {
  const head = JSON.stringify({ ...header, payload_size: Buffer.byteLength(payload) })
  return Buffer.from(`TWILSOCK V3.0 ${Buffer.byteLength(head)}\r\n${head}\r\n${payload}`)
}

/** Reads a frame, in other code than that of the gateway. Throws for one that is not exact. */
export function parseFrame(data: Uint8Array): RawFrame {
  const bytes = Buffer.from(data)
  const [line, size = ''] = /^TWILSOCK V3\.0 (\d+)\r\n/.exec(bytes.toString('latin1')) ?? []
  if (line === undefined) throw new Error('This is not a frame.')
  const start = line.length
  const end = start + Number(size)
  const header = JSON.parse(bytes.toString('utf8', start, end))
  if (bytes.toString('latin1', end, end + 2) !== '\r\n') throw new Error('The separator is missing.')
  const payload = bytes.subarray(end + 2)
  if (payload.length !== header.payload_size) throw new Error('payload_size is wrong.')
  return { header, payload: payload.length === 0 ? undefined : JSON.parse(payload.toString('utf8')) }
}
