import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { type LinkShape, SlowLane } from './slow-lane.ts'

/**
 * What the proxy does with connections and bytes.
 * - `pass` forwards.
 * - `refuse` resets new connections; those that stand go on.
 * - `stall` accepts new connections and forwards nothing of them until the mode changes; those that stand go on.
 * - `blackhole` drops the bytes of every connection. One that lost bytes stays black until it is dropped: what
 *   comes after a hole would be garbage.
 * - `freeze` holds the bytes and the ends of every connection, and hands them over, once, when it is thawed
 *   (`pass`).
 * - `unplug` is a link that loses every packet: what a side sends waits there, to be sent again when the link is back
 *   (`pass`), also after that side has closed its socket. A side that resets its socket takes back what waits, and
 *   the other side learns of the reset, and loses what it has sent since, when the link is back.
 */
export type ProxyMode = 'pass' | 'refuse' | 'stall' | 'blackhole' | 'freeze' | 'unplug'

/** Where to forward to: a loopback port, or a broker with a URL whose scheme and credentials are kept. */
export type ProxyTarget = { readonly url: string } | { readonly port: number }

/**
 * Starts a proxy on a free loopback port in front of a broker. It keeps its port while the broker restarts. Each
 * connection through it is as slow as `shape` says; what a lane has taken is not frozen or lost any more.
 */
export async function startProxy(target: ProxyTarget, shape?: LinkShape): Promise<FaultProxy> {
  const url = new URL('url' in target ? target.url : `tcp://127.0.0.1:${target.port}`)
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return new FaultProxy(server, url, shape)
}

/** A loopback TCP proxy that can fail in the ways in which networks do. */
export class FaultProxy {
  readonly port: number
  /** The broker's URL with the proxy's address in place of the broker's. */
  readonly url: string
  readonly #server: Server
  readonly #targetPort: number
  readonly #shape: LinkShape | undefined
  readonly #links = new Set<Link>()
  #mode: ProxyMode = 'pass'
  #accepted = 0
  #lostBytes = 0

  constructor(server: Server, target: URL, shape: LinkShape | undefined) {
    this.#server = server
    this.#shape = shape
    this.#targetPort = Number(target.port)
    this.port = (server.address() as AddressInfo).port
    target.host = `127.0.0.1:${this.port}`
    this.url = target.href
    server.on('connection', (client) => this.#accept(client))
  }

  get mode(): ProxyMode {
    return this.#mode
  }

  set mode(mode: ProxyMode) {
    this.#mode = mode
    for (const link of this.#links) link.setMode(mode)
  }

  /** How many connections stand now. */
  get connections(): number {
    return this.#links.size
  }

  /** How many connections were made since the start, refused ones included. */
  get accepted(): number {
    return this.#accepted
  }

  /** How many bytes the black hole has swallowed. */
  get lostBytes(): number {
    return this.#lostBytes
  }

  /** How many bytes wait, of all connections, for the link to be back. */
  get waitingBytes(): number {
    return [...this.#links].reduce((sum, link) => sum + link.waitingBytes, 0)
  }

  /** Cuts the current connections with a reset, towards both sides. What they held is lost. */
  drop(): void {
    for (const link of this.#links) link.cut()
  }

  async close(): Promise<void> {
    this.#mode = 'refuse'
    this.drop()
    if (!this.#server.listening) return
    this.#server.close()
    await once(this.#server, 'close')
  }

  #accept(client: Socket): void {
    this.#accepted++
    if (this.#mode === 'refuse') {
      client.on('error', () => {})
      client.resetAndDestroy()
      return
    }
    const link = new Link(client, this.#targetPort, this.#shape, {
      lost: (bytes) => {
        this.#lostBytes += bytes
      },
      ended: () => this.#links.delete(link),
    })
    this.#links.add(link)
    link.setMode(this.#mode)
  }
}

interface LinkEvents {
  lost(bytes: number): void
  ended(): void
}

/** One connection through the proxy. A paused socket reads nothing, so what is held stays in the kernel. */
class Link {
  readonly #client: Socket
  readonly #targetPort: number
  readonly #events: LinkEvents
  /** One each way, when the link is slow. */
  readonly #lanes: { readonly up: SlowLane; readonly down: SlowLane } | undefined
  #broker: Socket | undefined
  #frozen = false
  #black = false
  #hasHole = false
  #unplugged = false
  /** What waits for the link to be back, in the order in which it was sent, and how much that is. */
  #waiting: (() => void)[] = []
  waitingBytes = 0
  /** Whether a side has reset its socket meanwhile. */
  #hasReset = false

  constructor(client: Socket, targetPort: number, shape: LinkShape | undefined, events: LinkEvents) {
    this.#client = client
    this.#targetPort = targetPort
    this.#events = events
    this.#lanes = shape && lanesOf(shape)
    this.#wire(client, () => this.#broker, this.#lanes?.up)
  }

  setMode(mode: ProxyMode): void {
    // A connection that stands knows nothing of `refuse` and `stall`; one that has not begun waits for `pass`.
    const begun = this.#broker !== undefined
    this.#black = this.#hasHole || mode === 'blackhole'
    this.#frozen = !this.#black && (begun ? mode === 'freeze' : mode !== 'pass')
    this.#unplugged = begun && mode === 'unplug'
    if (!this.#unplugged) this.#plugIn()
    if (!begun && mode === 'pass' && !this.#black) this.#dial()
    for (const socket of [this.#client, this.#broker]) {
      if (this.#frozen) socket?.pause()
      else socket?.resume()
    }
  }

  cut(): void {
    this.#lanes?.up.cut()
    this.#lanes?.down.cut()
    for (const socket of [this.#client, this.#broker]) {
      // One that shuts down cannot be reset (libuv: EINVAL): it would stay open, and keep Node from ending.
      if (socket?.writableEnded && !socket.writableFinished) socket.destroy()
      else socket?.resetAndDestroy()
    }
    this.#events.ended()
  }

  #dial(): void {
    this.#broker = connect({ port: this.#targetPort, host: '127.0.0.1', allowHalfOpen: true })
    this.#wire(this.#broker, () => this.#client, this.#lanes?.down)
  }

  #wire(from: Socket, to: () => Socket | undefined, lane: SlowLane | undefined): void {
    from.setNoDelay(true)
    from.on('data', (chunk: Buffer) => {
      if (this.#black) this.#lose(chunk)
      else if (this.#unplugged) this.#wait(chunk.length, () => to()?.write(chunk))
      else if (lane !== undefined) this.#passSlowly(chunk, from, to, lane)
      else if (to()?.write(chunk) === false) this.#pauseUntilDrained(from, to())
    })
    // Through a black hole neither side learns that the other has gone.
    from.on('end', () => {
      if (this.#unplugged) {
        this.#wait(0, () => to()?.end())
        from.write('') // Node tells of a reset right behind bytes as an end; then this fails
      } else if (lane !== undefined) lane.end(() => to()?.end())
      else if (!this.#black) to()?.end()
    })
    from.on('error', () => {
      if (this.#unplugged) this.#takeBack()
      else if (!this.#black) this.cut()
    })
    from.on('close', () => {
      if (to()?.destroyed !== false) this.#events.ended()
    })
  }

  #wait(bytes: number, send: () => void): void {
    if (this.#hasReset) return
    this.#waiting.push(send)
    this.waitingBytes += bytes
  }

  #takeBack(): void {
    this.#hasReset = true
    this.#waiting = []
    this.waitingBytes = 0
  }

  #plugIn(): void {
    if (this.#hasReset) return this.cut()
    const waiting = this.#waiting
    this.#waiting = []
    this.waitingBytes = 0
    for (const send of waiting) send()
  }

  /** Reads no more than the lane takes: the rest waits in the system's buffers, as before a slow modem. */
  #passSlowly(chunk: Buffer, from: Socket, to: () => Socket | undefined, lane: SlowLane): void {
    from.pause()
    const arrive = (part: Buffer) => to()?.writable && to()?.write(part)
    lane.pass(chunk, arrive, () => {
      if (!this.#frozen) from.resume()
    })
  }

  #lose(chunk: Buffer): void {
    this.#hasHole = true
    this.#events.lost(chunk.length)
  }

  #pauseUntilDrained(from: Socket, to: Socket | undefined): void {
    from.pause()
    to?.once('drain', () => {
      if (!this.#frozen) from.resume()
    })
  }
}

function lanesOf({ uplinkBytesPerSecond = Infinity, roundTripMs = 0 }: LinkShape) {
  return {
    up: new SlowLane(uplinkBytesPerSecond, roundTripMs / 2),
    down: new SlowLane(Infinity, roundTripMs / 2),
  }
}
