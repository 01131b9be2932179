import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { until } from './recording-host.ts'

const SUBSCRIBE = 0x82
const UNSUBSCRIBE = 0xa2
const PINGREQ = 0xc0

/** A broker that lets one MQTT 5 client in and answers pings only when told: what no real broker does. */
export class ScriptedBroker {
  /** How many pings have come. */
  pings = 0
  /** Every packet that came, as it was written. */
  readonly packets: Buffer[] = []
  /** The reason code with which to answer the next subscriptions. */
  granted = 0
  readonly #server: Server
  #client: Socket | undefined

  static async start(): Promise<ScriptedBroker> {
    const server = createServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new ScriptedBroker(server)
  }

  constructor(server: Server) {
    this.#server = server
    server.on('connection', (client) => {
      this.#client = client
      client.on('error', () => {})
      client.once('data', (connect) => {
        this.packets.push(connect)
        client.write(Buffer.of(0x20, 3, 0, 0, 0))
        client.on('data', (chunk) => this.#answer(chunk))
      })
    })
  }

  get url(): string {
    return `mqtt://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  pong(): void {
    this.#client?.write(Buffer.of(0xd0, 0))
  }

  /** Sends a DISCONNECT and leaves the connection to the client. */
  dismiss(reasonCode: number): void {
    this.#client?.write(Buffer.of(0xe0, 2, reasonCode, 0))
  }

  async pinged(count: number): Promise<void> {
    await until(() => this.pings >= count)
  }

  close(): void {
    this.#client?.destroy()
    this.#server.close()
  }

  // The tests' packets are below 128 bytes: one byte of length after the type, then an id.
  #answer(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; at += 2 + chunk.readUInt8(at + 1)) {
      const type = chunk.readUInt8(at)
      this.packets.push(chunk.subarray(at, at + 2 + chunk.readUInt8(at + 1)))
      if (type === PINGREQ) this.pings++
      if (type === SUBSCRIBE) this.#acknowledge(0x90, chunk.subarray(at + 2, at + 4))
      if (type === UNSUBSCRIBE) this.#acknowledge(0xb0, chunk.subarray(at + 2, at + 4))
    }
  }

  #acknowledge(type: number, id: Buffer): void {
    this.#client?.write(Buffer.from([type, 4, ...id, 0, this.granted]))
  }
}
