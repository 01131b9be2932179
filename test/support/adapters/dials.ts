import { channel } from 'node:diagnostics_channel'
import { getEventListeners } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { freePort } from '../free-port.ts'
import { eventually } from '../live.ts'
import { type AdapterScene, listening } from './scene.ts'
import { POSITIONS, rejection, shortHost, within } from './waits.ts'

/** A server that says what no real one can be brought to say on demand. */
export interface ScriptedServer {
  readonly address: string
  /** How many connections it has taken. */
  readonly connections: number
  /** What it tells new connections in place of an answer, unless it is empty. */
  refusal: string
  /** Speaks to whoever is connected. */
  say(text: string): void
  /** Ends all connections without a reason. */
  hangUp(): void
}

/** Starts a server until the test ends. `serve` speaks to one connection, with what else the server is told to say. */
export async function startScripted<Lines extends object>(
  lines: Lines,
  serve: (socket: Socket, script: Lines & { readonly refusal: string }) => void,
  host?: string,
): Promise<ScriptedServer & Lines> {
  const { address, sockets } = await listening(
    createServer((socket) => {
      script.connections += 1
      serve(socket, script)
    }),
    host,
  )
  const script = {
    ...lines,
    address,
    connections: 0,
    refusal: '',
    say: (text: string) => {
      for (const socket of sockets) socket.write(text)
    },
    hangUp: () => {
      for (const socket of sockets) socket.end()
    },
  }
  return script
}

/** What an adapter says of servers that do not let it in. */
interface Dials<ServerOptions, Options> {
  readonly scene: AdapterScene<ServerOptions, Options>
  readonly scripted: () => Promise<ScriptedServer>
  /** A refusal for good, as the server says it and as the error repeats it. */
  readonly refusal: string
  /** The error for these reasons, one or several. */
  readonly told: (reasons: string, advice: 'with advice' | 'without') => string
  /** What an error says of a port where nobody listens. */
  readonly away: (address: string) => string
}

/** Tests how an adapter goes through its servers, each time in a random order, and how it gives a dial up. */
export function testDials<ServerOptions, Options>(dials: Dials<ServerOptions, Options>): void {
  const { scene, scripted, refusal, told, away } = dials
  const open = (addresses: readonly string[], signal = within()) =>
    scene.transportTo(addresses).open(shortHost(), signal)
  const severalRefusing = async (count: number) => {
    const servers = await Promise.all(Array.from({ length: count }, scripted))
    for (const server of servers) server.refusal = refusal
    return servers.map(({ address }) => address)
  }

  test('says why each of several servers refused, and gives all causes', async () => {
    const addresses = await severalRefusing(2)
    const error = await rejection(open(addresses))
    const reasons = addresses.map((address) => `${address}: ${refusal}`)
    expect([
      told(reasons.join('; '), 'with advice'),
      told(reasons.reverse().join('; '), 'with advice'),
    ]).toContain(error.message)
    expect(error.code).toBe('TRANSPORT_FAILED')
    expect((error.cause as AggregateError).errors).toMatchObject(
      Array(2).fill({ message: expect.stringContaining(refusal) }),
    )
  })

  test('gives no advice when a server is merely away', async () => {
    const address = `127.0.0.1:${await freePort()}`
    const { message, cause } = await rejection(open([address]))
    expect(message).toBe(told(`${address}: ${away(address)}`, 'without'))
    expect(cause).not.toHaveProperty('errors')
  })

  test('tries the servers in another order at each open', async () => {
    // The error's text names them in one order; its causes come in that of the dials, each with the address.
    const addresses = await Promise.all([1, 2, 3].map(async () => `127.0.0.1:${await freePort()}`))
    const orderOf = ({ cause }: Error) =>
      (cause as AggregateError).errors.map(({ message, cause }) => `${message} ${cause?.message}`).join('; ')
    const orders = new Set<string>()
    await eventually(async () => orders.add(orderOf(await rejection(open(addresses)))).size).toBeGreaterThan(
      2,
    )
  })

  test('goes to another server than the last one', async () => {
    const servers = [await scripted(), await scripted()]
    const transport = scene.transportTo(servers.map(({ address }) => address))
    for (let round = 0; round < 20; round += 1) {
      const host = shortHost()
      await transport.open(host, within())
      for (const server of servers) server.hangUp()
      await eventually(() => host.downs.length).toBe(1)
    }
    expect(servers.map(({ connections }) => connections)).toEqual([10, 10])
  })

  test('leaves no listener on the signals that it was given, and none of new sockets', async () => {
    const server = await scripted()
    const { transport } = await scene.opened([server.address])
    const { signal } = new AbortController()
    await transport.flush(signal)
    await transport.join(POSITIONS, AbortSignal.abort()).catch(() => {})
    await transport.close(signal)
    await open([server.address], signal)
    expect(getEventListeners(signal, 'abort')).toEqual([])
    expect(channel('net.client.socket').hasSubscribers).toBe(false)
  })

  test.each([
    ['at once', false],
    ['while the server says nothing', true],
  ])('drops the socket of a dial that is given up %s', async (_when, isConnected) => {
    const silent = () => listening(createServer((socket) => socket.resume()))
    /** Whether a dial to a silent server outlives a later one that is given up; both have the same deadline. */
    const outlives = async () => {
      const [patient, givenUp] = [await silent(), await silent()]
      const waiting = rejection(open([patient.address]))
      await eventually(() => patient.sockets.size).toBe(1)
      const giveUp = new AbortController()
      const opening = rejection(open([givenUp.address], giveUp.signal))
      if (isConnected) await eventually(() => givenUp.sockets.size).toBe(1)
      giveUp.abort()
      await opening
      await eventually(() => givenUp.sockets.size).toBe(0)
      const isWaiting = patient.sockets.size === 1
      await waiting
      return isWaiting
    }
    // A machine that stands still for two seconds lets both run out.
    await eventually(outlives).toBe(true)
  })
}
