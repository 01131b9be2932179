import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** A connection that reads only when it is told to. What the server does to it is no error of the test. */
export class RawClient {
  readonly socket: Socket
  /** Resolves when the connection is gone. */
  readonly closed: Promise<void>
  received = ''
  isClosed = false

  private constructor(socket: Socket) {
    this.socket = socket
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        this.isClosed = true
        resolve()
      })
    })
    socket.on('error', () => {})
  }

  /** Connects without reading. */
  static async connect(port: number): Promise<RawClient> {
    const socket = connect(port, '127.0.0.1').pause()
    const client = new RawClient(socket)
    onTestFinished(() => void socket.destroy())
    await Promise.race([once(socket, 'connect').catch(() => {}), client.closed])
    return client
  }

  /** Resolves when the kernel has the bytes, or the connection is gone. */
  async send(bytes: string | Uint8Array): Promise<void> {
    if (this.isClosed) return
    const taken = new Promise<void>((resolve) => this.socket.write(bytes, () => resolve()))
    await Promise.race([taken, this.closed])
  }

  /** Reads from now on. */
  read(): void {
    this.socket.on('data', (chunk) => {
      this.received += chunk.toString('latin1')
    })
    this.socket.resume()
  }

  /** Reads so many bytes, or a few more, and stops again. */
  take(bytes: number): Promise<void> {
    let taken = 0
    return new Promise((resolve) => {
      const onData = (chunk: Buffer) => {
        taken += chunk.length
        if (taken < bytes) return
        this.socket.off('data', onData).pause()
        resolve()
      }
      this.socket.on('data', onData)
      this.socket.resume()
    })
  }

  /** Resolves when the server has hung up. Sends blank lines, which mean nothing before a request, to find out. */
  async hungUpOn(): Promise<void> {
    while (!this.isClosed) {
      if (this.socket.writableLength === 0) this.socket.write('\r\n')
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
}

/** Writes a request without a body. */
export function requestText(
  path: string,
  headers: Readonly<Record<string, string>> = {},
  method = 'GET',
): string {
  const lines = Object.entries({ Host: '127.0.0.1', ...headers }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  )
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`
}
