import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { until } from './open.ts'

const PUBLISH = 0x30
const SUBSCRIBE = 0x82
const UNSUBSCRIBE = 0xa2
const PINGREQ = 0xc0
const NOT_AUTHORIZED = 0x87
const MAXIMUM_PACKET_SIZE = 0x27
const SUBSCRIPTION_IDENTIFIER = 0x0b

/** A broker for one MQTT 5 client at a time that can misbehave as no real broker does. */
export class ScriptedBroker {
  /** The number of clients so far. */
  clients = 0
  /** The number of pings received. */
  pings = 0
  /** Every packet received, in its written form. */
  readonly packets: Buffer[] = []
  /** The topics of the subscriptions of the last client. */
  subscriptions: string[] = []
  /** The reason codes for the next clients, by their protocol; 0 accepts them. */
  refusals = { 5: 0, 4: 0 }
  /** The reason codes of the answer to each of the next subscriptions: one, by the protocol. */
  granted = [0]
  /** The topic on whose subscription the broker disconnects. */
  poison: string | undefined
  /** Whether it sends a DISCONNECT right before each CONNACK. */
  disconnectsFirst = false
  /** Whether it answers pings by itself. */
  isLively = false
  /** The time it takes for each subscription, one after the other. */
  subscribeMs = 0
  /** The largest packet that it announces. */
  maxPacketBytes: number | undefined
  /** Further properties of the CONNACK, byte by byte. */
  claims: readonly number[] = []
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
      this.clients++
      this.#client = client
      this.subscriptions = []
      client.on('error', () => {})
      this.#read(client)
    })
  }

  get url(): string {
    return `mqtt://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** The PUBLISH packets received. */
  get published(): Buffer[] {
    return this.packets.filter((packet) => packet.readUInt8(0) === PUBLISH)
  }

  pong(): void {
    this.#client?.write(Buffer.of(0xd0, 0))
  }

  /** Sends a frame for subscriptions with these identifiers, as one copy. */
  publish(topic: string | Buffer, frame: string, ...identifiers: number[]): void {
    const name = Buffer.from(topic as string)
    const properties = identifiers.flatMap((identifier) => [SUBSCRIPTION_IDENTIFIER, identifier])
    const body = [0, name.length, ...name, properties.length, ...properties, ...Buffer.from(frame)]
    this.#client?.write(Buffer.of(PUBLISH, body.length, ...body))
  }

  /** Sends a DISCONNECT and leaves the connection to the client. */
  dismiss(reasonCode: number): void {
    this.#client?.write(disconnect(reasonCode))
  }

  /** Ends the connection without a DISCONNECT. */
  hangUp(): void {
    this.#client?.end()
  }

  /** Cuts the connection. */
  drop(): void {
    this.#client?.resetAndDestroy()
  }

  async pinged(count: number): Promise<void> {
    await until(() => this.pings >= count)
  }

  close(): void {
    this.#client?.destroy()
    this.#server.close()
  }

  async #read(client: Socket): Promise<void> {
    let held: Buffer = Buffer.alloc(0)
    let packets: Buffer[]
    try {
      for await (const chunk of client) {
        ;[packets, held] = split(Buffer.concat([held, chunk]))
        for (const packet of packets) await this.#take(client, packet)
      }
    } catch {
      // It was reset.
    }
  }

  async #take(client: Socket, packet: Buffer): Promise<void> {
    this.packets.push(packet)
    const type = packet.readUInt8(0)
    if (type === 0x10) client.write(this.#welcome(packet.readUInt8(8) === 4 ? 4 : 5))
    if (type === PINGREQ) this.pings++
    if (type === PINGREQ && this.isLively) this.pong()
    if (type === UNSUBSCRIBE) client.write(acknowledgement(0xb0, packet, 0))
    if (type === SUBSCRIBE) await this.#subscribe(client, packet)
  }

  async #subscribe(client: Socket, packet: Buffer): Promise<void> {
    const topic = topicOf(packet)
    this.subscriptions.push(topic)
    if (this.subscribeMs > 0) await new Promise((resolve) => setTimeout(resolve, this.subscribeMs))
    if (topic !== this.poison) client.write(acknowledgement(0x90, packet, ...this.granted))
    else client.end(disconnect(NOT_AUTHORIZED))
  }

  #welcome(protocol: 4 | 5): Buffer {
    const connack = this.#connack(protocol)
    return this.disconnectsFirst ? Buffer.of(...disconnect(NOT_AUTHORIZED), ...connack) : connack
  }

  #connack(protocol: 4 | 5): Buffer {
    if (protocol === 4) return Buffer.of(0x20, 2, 0, this.refusals[4])
    const size = Buffer.of(MAXIMUM_PACKET_SIZE, 0, 0, 0, 0)
    size.writeUInt32BE(this.maxPacketBytes ?? 0, 1)
    const properties = [...(this.maxPacketBytes === undefined ? [] : size), ...this.claims]
    return Buffer.of(0x20, 3 + properties.length, 0, this.refusals[5], properties.length, ...properties)
  }
}

/** Splits bytes into whole packets and the rest. */
function split(bytes: Buffer): [Buffer[], Buffer] {
  const packets: Buffer[] = []
  let rest = bytes
  for (;;) {
    const [length, at] = remainingLength(rest)
    if (rest.length < at + length || rest.length < 2) return [packets, rest]
    packets.push(rest.subarray(0, at + length))
    rest = rest.subarray(at + length)
  }
}

/** The remaining length of a packet, and where it ends itself (MQTT 5, 1.5.5). */
function remainingLength(packet: Buffer): [length: number, at: number] {
  let length = 0
  for (let at = 1; at < packet.length; at++) {
    const byte = packet.readUInt8(at)
    length += (byte & 0x7f) * 128 ** (at - 1)
    if (byte < 0x80) return [length, at + 1]
  }
  return [Infinity, 0]
}

function topicOf(subscribe: Buffer): string {
  const [, idAt] = remainingLength(subscribe)
  const at = idAt + 3 + subscribe.readUInt8(idAt + 2) // behind the id and the properties
  return subscribe.subarray(at + 2, at + 2 + subscribe.readUInt16BE(at)).toString()
}

function disconnect(reasonCode: number): Buffer {
  return Buffer.of(0xe0, 2, reasonCode, 0)
}

function acknowledgement(type: number, packet: Buffer, ...codes: number[]): Buffer {
  const [, at] = remainingLength(packet)
  return Buffer.from([type, 3 + codes.length, ...packet.subarray(at, at + 2), 0, ...codes])
}
