import type { Transport } from 'rivulet'

/** Puts a made-up loss before a transport: so much of what comes is dropped, by chance, before the hub hears of it. */
export function lossy(transport: Transport, lossOf: () => number): Transport {
  return {
    name: transport.name,
    get capabilities() {
      return transport.capabilities
    },
    open: (host, signal) =>
      transport.open(
        {
          hub: host.hub,
          receive: (topic, frame) => {
            if (Math.random() >= lossOf()) host.receive(topic, frame)
          },
          watched: (topic, frame) => host.watched(topic, frame),
          down: (cause) => host.down(cause),
          error: (topic, cause) => host.error(topic, cause),
          left: (topic, cause) => host.left(topic, cause),
        },
        signal,
      ),
    send: (topic, frame) => transport.send(topic, frame),
    join: (topic, signal) => transport.join(topic, signal),
    leave: (topic) => transport.leave(topic),
    watch: (hub, signal) => transport.watch(hub, signal),
    flush: (signal) => transport.flush(signal),
    close: (signal) => transport.close(signal),
  }
}
