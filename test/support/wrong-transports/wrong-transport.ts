import { type MemoryBus, type MemoryBusOptions, memoryBus } from '@rivulet/memory'
import type { Capabilities, Topic, Transport, TransportHost } from 'rivulet'
import type { ContractBackend } from 'rivulet/testing'

/** A transport that breaks the contract in one way, and the checks that have to notice. */
export interface WrongTransport {
  /** A sentence whose subject is the transport. */
  readonly flaw: string
  readonly fails: readonly string[]
  readonly create: () => ContractBackend
}

/** What a wrong transport does instead of the right one that it wraps. */
export type Flaw = (right: Transport, bus: MemoryBus) => Partial<Transport>

/** Makes a wrong transport out of the one of a memory bus. */
export function wrong(
  flaw: string,
  change: Flaw,
  fails: readonly string[],
  options?: MemoryBusOptions,
): WrongTransport {
  return { flaw, fails, create: () => backendOf(memoryBus(options), change) }
}

export function backendOf(bus: MemoryBus, change: Flaw): ContractBackend {
  return {
    transport: () => {
      const right = bus.transport()
      return { ...forwarding(right), ...change(right, bus) }
    },
    elsewhere: async () => {},
    down: async () => bus.down(),
    up: async () => bus.up(),
    close: async () => {},
  }
}

/** Puts something between a transport and its host. */
export function hosted(
  change: (host: TransportHost) => Partial<TransportHost>,
): (right: Transport) => Partial<Transport> {
  return (right) => ({
    open: (host, signal) => right.open({ ...forwardingHost(host), ...change(host) }, signal),
  })
}

/** Claims other capabilities than there are. */
export function claims(capabilities: Partial<Capabilities>): Flaw {
  return (right) => ({ capabilities: { ...right.capabilities, ...capabilities } })
}

/** Tells whether a transport is open, from its calls. */
export function watched(right: Transport): { isOpen: boolean; readonly methods: Partial<Transport> } {
  const watch = {
    isOpen: false,
    methods: {
      open: async (host: TransportHost, signal: AbortSignal) => {
        const down = (cause?: Error) => {
          watch.isOpen = false
          host.down(cause)
        }
        await right.open({ ...forwardingHost(host), down }, signal)
        watch.isOpen = true
      },
      close: (signal: AbortSignal) => {
        watch.isOpen = false
        return right.close(signal)
      },
    },
  }
  return watch
}

/** Hands a frame over outside of the right transport, whose guard is missing there. */
export function receiveGuarded(host: TransportHost, topic: Topic, frame: Uint8Array | string): void {
  try {
    host.receive(topic, frame)
  } catch {
    // That a host throws is no flaw of the transport.
  }
}

/** Never settles. */
export const never = new Promise<never>(() => {})

/** Never aborts. */
export const endless = new AbortController().signal

function forwarding(right: Transport): Transport {
  return {
    name: right.name,
    capabilities: right.capabilities,
    open: (host, signal) => right.open(host, signal),
    send: (topic, frame) => right.send(topic, frame),
    join: (topic, signal) => right.join(topic, signal),
    leave: (topic) => right.leave(topic),
    watch: (hub, signal) => right.watch(hub, signal),
    flush: (signal) => right.flush(signal),
    close: (signal) => right.close(signal),
  }
}

/** Makes a host that hands every call on. */
export function forwardingHost(host: TransportHost): TransportHost {
  return {
    hub: host.hub,
    receive: (topic, frame) => host.receive(topic, frame),
    watched: (topic, frame) => host.watched(topic, frame),
    down: (cause) => host.down(cause),
    error: (topic, cause) => host.error(topic, cause),
    left: (topic, cause) => host.left(topic, cause),
  }
}
