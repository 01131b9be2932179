import type { Capabilities, Topic, Transport, TransportHost } from 'rivulet'
import { capabilitiesOf, type MemoryBusOptions, type ResolvedOptions, resolveOptions } from './bus-options.ts'
import { type MemoryBus, memoryBus } from './memory-bus.ts'

/**
 * Makes a transport from one `memory:name` URL: all that open the same name in this process meet on one bus, which
 * is dropped when the last of them closes. A name is 1 to 64 characters of A-Z a-z 0-9 _ -. Options may follow as a
 * query, `memory:name?seed=7&loss=0.1&delayMs=1,5`, and must be the same for all. Throws `TypeError` or `RangeError`
 * for a URL or an option that is wrong, `Error` for other options than those the bus was made with.
 */
export function transportFromUrls(urls: readonly string[]): Transport {
  const [url] = urls
  if (url === undefined || urls.length > 1) {
    throw new TypeError(`A memory bus has one URL, not ${urls.length}; it lives in this process only.`)
  }
  const address = parseUrl(url)
  findEntry(address)
  return new NamedTransport(address)
}

interface Address {
  readonly name: string
  readonly options: ResolvedOptions
}

interface Entry {
  readonly bus: MemoryBus
  readonly options: ResolvedOptions
  /** How many transports have opened and not closed. */
  users: number
}

/** One transport's place at a bus. */
interface Seat {
  readonly name: string
  readonly entry: Entry
  readonly transport: Transport
  isGivenBack: boolean
}

class NamedTransport implements Transport {
  readonly name = 'memory'
  readonly capabilities: Capabilities
  readonly #address: Address
  // Set from the first `open` to `close`, over any outage between.
  #seat: Seat | undefined
  // The seat that was closed last: a second `close` waits for it too.
  #closing: Seat | undefined

  constructor(address: Address) {
    this.#address = address
    this.capabilities = capabilitiesOf(address.options)
  }

  async open(host: TransportHost, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    this.#seat ??= takeSeat(this.#address)
    await this.#seat.transport.open(host, signal)
  }

  send(topic: Topic, frame: Uint8Array | string): 'sent' | 'offline' {
    return this.#seat?.transport.send(topic, frame) ?? 'offline'
  }

  async join(topic: Topic, signal: AbortSignal): Promise<void> {
    await this.#openTransport().join(topic, signal)
  }

  leave(topic: Topic): void {
    this.#seat?.transport.leave(topic)
  }

  async flush(signal: AbortSignal): Promise<void> {
    await this.#openTransport().flush(signal)
  }

  async close(signal: AbortSignal): Promise<void> {
    this.#closing = this.#seat ?? this.#closing
    this.#seat = undefined
    const closing = this.#closing
    if (!closing) return
    await closing.transport.close(signal)
    giveBack(closing)
  }

  #openTransport(): Transport {
    if (!this.#seat) throw new Error('The transport is not open; open it first.')
    return this.#seat.transport
  }
}

function parseUrl(url: string): Address {
  const [, name, query] = /^memory:([A-Za-z0-9_-]{1,64})(?:\?(.*))?$/.exec(url) ?? []
  if (name === undefined) {
    throw new TypeError(
      `"${url}" names no memory bus; write memory:name, with a name of 1 to 64 characters of A-Z a-z 0-9 _ -.`,
    )
  }
  return { name, options: resolveOptions(optionsOf(query)) }
}

// By hand: `URLSearchParams` is not in every runtime.
function optionsOf(query = ''): MemoryBusOptions {
  const options = new Map<string, unknown>()
  for (const pair of query.split('&').filter((pair) => pair !== '')) {
    const [key, value = ''] = pair.split(/=(.*)/s, 2).map(decodeURIComponent) as [string, string?]
    if (options.has(key)) throw new TypeError(`The option "${key}" is given twice.`)
    options.set(key, readValue(key, value))
  }
  return Object.fromEntries(options)
}

function readValue(key: string, value: string): unknown {
  if (key === 'delayMs') return value.split(',').map(readNumber)
  if (key === 'echoes') return value === 'true' ? true : value === 'false' ? false : value
  return readNumber(value)
}

// `Number('')` is 0, which `?loss=` does not say.
function readNumber(value: string): number {
  return value.trim() === '' ? Number.NaN : Number(value)
}

const REGISTRY = Symbol.for('rivulet.memory')

// On the global object, so that the ESM and the CJS copy of this package meet.
function registry(): Map<string, Entry> {
  const shared = globalThis as { [REGISTRY]?: Map<string, Entry> }
  shared[REGISTRY] ??= new Map()
  return shared[REGISTRY]
}

function findEntry({ name, options }: Address): Entry | undefined {
  const entry = registry().get(name)
  if (!entry) return undefined
  const made = JSON.stringify(entry.options)
  const asked = JSON.stringify(options)
  if (made !== asked) {
    throw new Error(
      `The bus memory:${name} is in use with the options ${made}, not ${asked}; use the same ones.`,
    )
  }
  return entry
}

function takeSeat(address: Address): Seat {
  const { name, options } = address
  const entry = findEntry(address) ?? { bus: memoryBus(options), options, users: 0 }
  registry().set(name, entry)
  entry.users += 1
  return { name, entry, transport: entry.bus.transport(), isGivenBack: false }
}

function giveBack(seat: Seat): void {
  if (seat.isGivenBack) return
  seat.isGivenBack = true
  seat.entry.users -= 1
  if (seat.entry.users === 0) registry().delete(seat.name)
}
