import type { Transport } from 'rivulet'
import { invalidOptions } from 'rivulet/adapter'
import { capabilitiesOf, type MemoryBusOptions, type ResolvedOptions, resolveOptions } from './bus-options.ts'
import { type MemoryBus, memoryBus } from './memory-bus.ts'

/**
 * Makes a transport from one `memory:name` URL: all transports of one name in this process share one bus, which
 * is dropped when the last of them closes. A name is 1 to 64 characters of A-Z a-z 0-9 _ -. Options may follow as a
 * query, `memory:name?seed=7&loss=0.1&delayMs=1,5`, and must be the same for all. With `alone=true` a hub in a forked
 * process may be the only one. Throws `INVALID_OPTIONS`, also for other options than those of the existing bus.
 */
export function transportFromUrls(urls: readonly string[]): Transport {
  const [url] = urls
  if (url === undefined || urls.length > 1) {
    throw invalidOptions(`A memory bus has one URL, not ${urls.length}; it lives in this process only.`)
  }
  const address = parseUrl(url)
  findBus(address)
  return namedTransport(address)
}

interface Address {
  readonly name: string
  readonly options: ResolvedOptions
  /** Whether a hub may be alone in a forked process without a report. */
  readonly isAloneAllowed: boolean
}

/** A bus in use, registered under a name. */
interface NamedBus {
  readonly bus: MemoryBus
  readonly options: ResolvedOptions
  /** The transports that have opened and not closed; the bus is dropped with the last one. */
  readonly users: Set<Transport>
}

/** A transport's use of a bus from its first `open` to its `close`, across outages. */
interface Use {
  readonly namedBus: NamedBus
  readonly transport: Transport
  isOver: boolean
}

function namedTransport(address: Address): Transport {
  let use: Use | undefined
  const usedTransport = () => {
    if (use) return use.transport
    throw new Error('The transport is not open; open it first.')
  }
  return {
    name: 'memory',
    capabilities: capabilitiesOf(address.options),
    othersInProcess: address.isAloneAllowed ? undefined : () => (use ? use.namedBus.users.size - 1 : 0),
    async open(host, signal) {
      signal.throwIfAborted()
      if (!use || use.isOver) use = beginUse(address)
      await use.transport.open(host, signal)
    },
    send: (topic, frame) => use?.transport.send(topic, frame) ?? 'offline',
    join: async (topic, signal) => usedTransport().join(topic, signal),
    leave: (topic) => use?.transport.leave(topic),
    watch: async (hub, signal) => usedTransport().watch(hub, signal),
    flush: async (signal) => usedTransport().flush(signal),
    async close(signal) {
      const closing = use
      if (!closing) return
      closing.isOver = true
      await closing.transport.close(signal)
      endUse(closing, address)
    },
  }
}

function parseUrl(url: string): Address {
  const [, name, query] = /^memory:([A-Za-z0-9_-]{1,64})(?:\?(.*))?$/i.exec(url) ?? []
  if (name === undefined) {
    throw invalidOptions(
      `"${url}" names no memory bus; write memory:name, with a name of 1 to 64 characters of A-Z a-z 0-9 _ -.`,
    )
  }
  const { alone = 'false', ...options } = optionsOf(query)
  if (alone !== 'true' && alone !== 'false') throw invalidOptions('alone is true or false.')
  return { name, options: resolveOptions(options), isAloneAllowed: alone === 'true' }
}

// Parsed here because `URLSearchParams` is not in every runtime.
function optionsOf(query = ''): MemoryBusOptions & { readonly alone?: unknown } {
  const options = new Map<string, unknown>()
  for (const pair of query.split('&').filter((pair) => pair !== '')) {
    const [key, value = ''] = pair.split(/=(.*)/s, 2).map(decoded) as [string, string?]
    if (options.has(key)) throw invalidOptions(`The option "${key}" is given twice.`)
    options.set(key, readValue(key, value))
  }
  return Object.fromEntries(options)
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    throw invalidOptions(`"${part}" is not percent-encoded UTF-8; write a % as %25.`)
  }
}

function readValue(key: string, value: string): unknown {
  if (key === 'alone') return value
  if (key === 'delayMs') return value.split(',').map(readNumber)
  if (key === 'echoes') return value === 'true' ? true : value === 'false' ? false : value
  return readNumber(value)
}

// `Number('')` is 0, but `?loss=` has no value.
function readNumber(value: string): number {
  return value.trim() === '' ? Number.NaN : Number(value)
}

const REGISTRY = Symbol.for('rivulet.memory')

// On the global object, so that the ESM and the CJS copy of this package share it.
function registry(): Map<string, NamedBus> {
  const shared = globalThis as { [REGISTRY]?: Map<string, NamedBus> }
  shared[REGISTRY] ??= new Map()
  return shared[REGISTRY]
}

function findBus({ name, options }: Address): NamedBus | undefined {
  const found = registry().get(name)
  if (!found) return undefined
  const [made, asked] = [describe(found.options), describe(options)]
  if (made === asked) return found
  throw invalidOptions(
    `The bus memory:${name} is in use with the options ${made}, not ${asked}; use the same ones.`,
  )
}

function describe(options: ResolvedOptions): string {
  return JSON.stringify({ ...options, environment: undefined })
}

function beginUse(address: Address): Use {
  const { name, options } = address
  const namedBus = findBus(address) ?? { bus: memoryBus(options), options, users: new Set() }
  const transport = namedBus.bus.transport()
  registry().set(name, namedBus)
  namedBus.users.add(transport)
  return { namedBus, transport, isOver: false }
}

// Called at every close of a transport; only the first close of the last user drops the bus.
function endUse({ namedBus, transport }: Use, { name }: Address): void {
  if (namedBus.users.delete(transport) && namedBus.users.size === 0) registry().delete(name)
}
