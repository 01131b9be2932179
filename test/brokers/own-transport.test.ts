import { once } from 'node:events'
import { connect, type Server, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import type { Topic } from 'rivulet'
import { type ContractBackend, testTransport } from 'rivulet/testing'
import { expect, test } from 'vitest'
import { lines } from '../../examples/own-transport/lines.ts'
import { startLineServer } from '../../examples/own-transport/server.ts'
import { invalidOptionsOf, SECRET } from '../support/adapters/invalid-options.ts'
import { rejection, shortHost, within } from '../support/adapters/waits.ts'
import { freePort } from '../support/free-port.ts'

/** The server of the example, on a port of its own. */
class LineServer implements ContractBackend {
  readonly #sockets = new Set<Socket>()
  #server: Server | undefined

  private constructor(readonly port: number) {}

  static async start(): Promise<LineServer> {
    const made = new LineServer(await freePort())
    await made.up()
    return made
  }

  transport() {
    return lines({ servers: `127.0.0.1:${this.port}`, password: () => SECRET })
  }

  async elsewhere(topic: Topic, frame: string): Promise<void> {
    const socket = connect(this.port, '127.0.0.1')
    const reader = createInterface({ input: socket })
    for (const message of [{ password: SECRET }, [topic, Buffer.from(frame).toString('base64')], 'ping']) {
      socket.write(`${JSON.stringify(message)}\n`)
    }
    await new Promise<void>((resolve) => reader.on('line', (line) => line === '"pong"' && resolve()))
    socket.end()
  }

  async up(): Promise<void> {
    if (this.#server !== undefined) return
    this.#server = await startLineServer(this.port, SECRET)
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
    })
  }

  async down(): Promise<void> {
    const server = this.#server
    if (server === undefined) return
    this.#server = undefined
    const closed = once(server, 'close')
    server.close()
    for (const socket of this.#sockets) socket.resetAndDestroy()
    await closed
  }

  close(): Promise<void> {
    return this.down()
  }
}

testTransport({ test, create: () => LineServer.start(), waitMs: 15_000 })

test('the example of a transport refuses a wrong password for good, without showing it', async () => {
  const backend = await LineServer.start()
  const transport = lines({ servers: `127.0.0.1:${backend.port}`, password: `${SECRET}?` })
  const error = await rejection(transport.open(shortHost(), within()))
  expect(error).toMatchObject({
    code: 'TRANSPORT_FAILED',
    message: `No lines server took the connection (127.0.0.1:${backend.port}: wrong password). Check the password.`,
  })
  await backend.close()
})

test('the example of a transport checks its options', () => {
  const { message } = invalidOptionsOf(() => lines({ passwort: SECRET } as never))
  expect(message).toBe('There is no lines option "passwort"; there are servers, password.')
})
