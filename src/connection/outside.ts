import { runOutside } from '../base/async-context.ts'
import type { Transport, TransportHost } from './transport.ts'

/**
 * Makes a transport run outside of any request, and its receiving, too: sockets and timers of its client stay in the
 * async context in which they were made, and pass it on to their callbacks. `send` is not wrapped: its caller leaves
 * the request once for all frames of a tick.
 */
export function outsideTransport(transport: Transport): Transport {
  return {
    get name() {
      return transport.name
    },
    get capabilities() {
      return transport.capabilities
    },
    open: (host, signal) => runOutside(() => transport.open(outsideHost(host), signal)),
    send: (topic, frame) => transport.send(topic, frame),
    join: (topic, signal) => runOutside(() => transport.join(topic, signal)),
    leave: (topic) => runOutside(() => transport.leave(topic)),
    watch: (hub, signal) => runOutside(() => transport.watch(hub, signal)),
    flush: (signal) => runOutside(() => transport.flush(signal)),
    bufferedBytes: () => transport.bufferedBytes?.() ?? 0,
    close: (signal) => runOutside(() => transport.close(signal)),
  }
}

function outsideHost(host: TransportHost): TransportHost {
  return {
    hub: host.hub,
    timeouts: host.timeouts,
    receive: (topic, frame) => runOutside(() => host.receive(topic, frame)),
    watched: (topic, frame) => runOutside(() => host.watched(topic, frame)),
    progress: (isCongested) => runOutside(() => host.progress?.(isCongested)),
    down: (cause) => runOutside(() => host.down(cause)),
    error: (topic, cause) => runOutside(() => host.error(topic, cause)),
    left: (topic, cause) => runOutside(() => host.left(topic, cause)),
  }
}
