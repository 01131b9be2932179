import { getEventListeners, once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { createHub } from 'rivulet'
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { endless, rejection } from '../../../test/support/adapters/waits.ts'
import { type Broker, startMosquitto } from '../../../test/support/brokers.ts'
import { Authority } from '../../../test/support/certificates.ts'
import { freePort } from '../../../test/support/free-port.ts'
import { closeAll, make, open, patientHost, topicOf, until } from './open.ts'

const TOPIC = topicOf('positions')
// More than the kernel buffers of both ends.
const BACKLOG = new Uint8Array(32 * 1024 * 1024)

/** A relay to a port that can be frozen, and still counts the bytes of the client. */
class Relay {
  readonly port: number
  #client: Socket | undefined

  static async start(targetPort: number): Promise<Relay> {
    const server = createServer({ allowHalfOpen: true })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(async () => {
      await closeAll()
      server.close()
    })
    const relay = new Relay((server.address() as AddressInfo).port)
    server.on('connection', (client) => relay.#relay(client, targetPort))
    return relay
  }

  constructor(port: number) {
    this.port = port
  }

  freeze(): void {
    this.#client?.unpipe()
    this.#client?.pause()
  }

  /** Reads the rest of the frozen client's bytes, and resolves to their number. */
  async thaw(): Promise<number> {
    const client = this.#client as Socket
    client.resume()
    if (!client.closed) await new Promise((resolve) => client.on('close', resolve)) // an error is an end too
    return client.bytesRead
  }

  #relay(client: Socket, port: number): void {
    this.#client = client
    const broker = connect(port, '127.0.0.1')
    broker.on('error', () => {})
    broker.on('close', () => client.isPaused() || client.destroy())
    client.on('error', () => {})
    client.on('end', () => client.destroy())
    client.on('close', () => broker.destroy())
    client.pipe(broker).pipe(client)
  }
}

/** Lets the event loop turn once, so that written bytes reach the system. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Resolves to the bytes of a backlog that leave late when a socket is closed without a reset. */
async function leavesLate(): Promise<number> {
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const accepted = once(server, 'connection')
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const [[socket]] = (await Promise.all([accepted, once(client, 'connect')])) as [[Socket], unknown]
  client.write(BACKLOG)
  client.destroy()
  await once(client, 'close')
  socket.resume()
  await once(socket, 'end')
  socket.destroy()
  server.close()
  return socket.bytesRead
}

describe('a connection that is given up', () => {
  let authority: Authority
  let plain: Broker
  let secure: Broker
  let ports: Readonly<Record<string, number>>

  beforeAll(async () => {
    authority = new Authority()
    const certificate = authority.issue()
    const wss = await freePort()
    const lines = [
      'protocol websockets',
      `certfile ${certificate.certFile}`,
      `keyfile ${certificate.keyFile}`,
    ]
    const config = [`listener ${wss} 127.0.0.1`, ...lines].join('\n')
    plain = await startMosquitto({ websocket: true })
    secure = await startMosquitto({ tls: certificate, config })
    ports = { mqtt: plain.port, ws: plain.portOf('websocket'), mqtts: secure.port, wss }
  })

  afterEach(closeAll)

  afterAll(async () => {
    await Promise.all([plain.close(), secure.close()])
    authority.close()
  })

  async function openBehindRelay(scheme: string) {
    const relay = await Relay.start(ports[scheme] as number)
    const url = `${scheme}://127.0.0.1:${relay.port}`
    const tls = { ca: authority.ca }
    return { relay, options: scheme.endsWith('s') && scheme !== 'ws' ? { url, tls } : { url } }
  }

  describe.each(['mqtt', 'mqtts', 'ws', 'wss'])('over %s', (scheme) => {
    test('by a close without time is reset, and sends nothing of its buffer', async () => {
      const { relay, options } = await openBehindRelay(scheme)
      const { transport, host } = await open(options)
      relay.freeze()
      expect(transport.send(TOPIC, BACKLOG)).toBe('sent')
      await turn()
      await transport.close(AbortSignal.abort())
      expect(transport.send(TOPIC, 'late')).toBe('offline')
      expect(await relay.thaw()).toBeLessThan((await leavesLate()) / 2)
      expect(host.downs).toEqual([])
    })

    test('by a close that runs out of time is reset', async () => {
      const { relay, options } = await openBehindRelay(scheme)
      const { transport } = await open(options)
      relay.freeze()
      transport.send(TOPIC, BACKLOG)
      const outOfTime = new AbortController()
      const closing = transport.close(outOfTime.signal)
      await turn()
      outOfTime.abort()
      await closing
      expect(await relay.thaw()).toBeLessThan((await leavesLate()) / 2)
    })

    test('by a close that runs out of time at any turn of it ends all the same', async () => {
      const { relay, options } = await openBehindRelay(scheme)
      for (let turns = 0; turns < 16; turns++) {
        const { transport } = await open(options)
        const outOfTime = new AbortController()
        const closing = transport.close(outOfTime.signal)
        for (let nth = 0; nth < turns; nth++) await turn()
        relay.freeze()
        outOfTime.abort()
        await closing
        expect(getEventListeners(outOfTime.signal, 'abort')).toEqual([])
        await relay.thaw()
      }
    })

    test('in a handshake that is never answered is reset', async () => {
      const silent = createServer((client) => client.on('error', () => {}).pause())
      silent.listen(0, '127.0.0.1')
      await once(silent, 'listening')
      const url = `${scheme}://127.0.0.1:${(silent.address() as AddressInfo).port}`
      const outOfTime = new AbortController()
      const transport = make({ url })
      const opening = rejection(transport.open(patientHost(), outOfTime.signal))
      await once(silent, 'connection')
      outOfTime.abort()
      expect(await opening).toBe(outOfTime.signal.reason)
      expect(getEventListeners(outOfTime.signal, 'abort')).toEqual([])
      silent.close()
      await once(silent, 'close') // it has no connection any more
    })
  })

  test('by the core, which missed its barriers, is reset', async () => {
    const { relay, options } = await openBehindRelay('mqtt')
    const hub = createHub({ transport: make(options), streamDefaults: { maxBytes: 65_536, limit: false } })
    onTestFinished(async () => void (await hub.close()))
    const errors: unknown[] = []
    hub.on('error', (error) => errors.push(error))
    await hub.ready()
    relay.freeze()
    const data = { text: 'x'.repeat(60_000) }
    for (let nth = 0; nth < 130; nth++) hub.stream('positions').publish(data)
    await until(() => hub.status === 'down')
    expect(await relay.thaw()).toBeLessThan((await leavesLate()) / 2)
    expect(errors).toEqual([expect.objectContaining({ code: 'TRANSPORT_UNAVAILABLE' })])
    await hub.ready()
    expect(hub.ledger()).toMatchObject({ unconfirmed: 130, confirmed: 0, inFlight: 0 })
  })

  test('by its own keepalive is reset, and rejects waiting calls as an outage', async () => {
    const { relay, options } = await openBehindRelay('mqtt')
    const { transport, host } = await open(options)
    relay.freeze()
    transport.send(TOPIC, BACKLOG)
    const waiting = [transport.flush(endless), transport.join(TOPIC, endless)].map(rejection)
    for (const error of await Promise.all(waiting)) {
      expect(error).toMatchObject({ code: 'TRANSPORT_UNAVAILABLE', message: /Keepalive timeout/ })
    }
    expect(host.downs).toHaveLength(1)
    expect(await relay.thaw()).toBeLessThan((await leavesLate()) / 2)
  })

  test('leaves no listener on any signal that it was given', async () => {
    const { relay, options } = await openBehindRelay('mqtt')
    const signals = Array.from({ length: 4 }, () => new AbortController().signal)
    const [opening, joining, flushing, closing] = signals as [
      AbortSignal,
      AbortSignal,
      AbortSignal,
      AbortSignal,
    ]
    const transport = make(options)
    await transport.open(patientHost(), opening)
    await transport.join(TOPIC, joining)
    await transport.flush(flushing)
    relay.freeze()
    const ended = [transport.join(topicOf('other'), joining), transport.flush(flushing)].map(rejection)
    await transport.close(AbortSignal.abort())
    await Promise.all(ended)
    await transport.close(closing)
    expect(signals.flatMap((signal) => getEventListeners(signal, 'abort'))).toEqual([])
  })
})
