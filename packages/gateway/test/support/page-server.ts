import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type WebSocket, WebSocketServer } from 'ws'
import type { PageSocket, Pages } from '../../src/relay.ts'

/** A server on a free loopback port whose WebSockets are pages. It keeps its port while it is taken down. */
export class PageServer {
  readonly pages: Pages
  port = 0
  /** The most that ever waited for a page, of all. */
  mostBufferedBytes = 0
  #server: Server | undefined
  #sockets = new Set<WebSocket>()

  constructor(pages: Pages) {
    this.pages = pages
  }

  get url(): string {
    return `ws://127.0.0.1:${this.port}/rivulet`
  }

  /** How many sockets stand. */
  get connections(): number {
    return this.#sockets.size
  }

  async start(): Promise<void> {
    if (this.#server !== undefined) return
    const server = createServer()
    const webSockets = new WebSocketServer({ server, maxPayload: 400_000 })
    webSockets.on('connection', (socket) => this.#accept(socket))
    server.listen(this.port, '127.0.0.1')
    await once(server, 'listening')
    this.port = (server.address() as AddressInfo).port
    this.#server = server
  }

  /** As a crash: every connection breaks, and no new one is taken. */
  async stop(): Promise<void> {
    const server = this.#server
    if (server === undefined) return
    this.#server = undefined
    const isClosed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    for (const socket of this.#sockets) socket.terminate()
    await isClosed
  }

  async close(): Promise<void> {
    this.pages.close()
    await this.stop()
  }

  #accept(socket: WebSocket): void {
    this.#sockets.add(socket)
    const handler = this.pages.accept(this.#pageSocketOf(socket))
    socket.on('message', (data: Buffer, isBinary) => handler.receive(isBinary ? data : data.toString()))
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#sockets.delete(socket)
      handler.closed()
    })
  }

  #pageSocketOf(socket: WebSocket): PageSocket {
    return {
      send: (bytes) => {
        socket.send(bytes)
        this.mostBufferedBytes = Math.max(this.mostBufferedBytes, socket.bufferedAmount)
      },
      close: (code, reason) => socket.close(code, reason),
      terminate: () => socket.terminate(),
      get bufferedBytes() {
        return socket.bufferedAmount
      },
    }
  }
}
