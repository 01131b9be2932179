import type { Topic, Transport } from 'rivulet'

/** Makes the transport of a hub that only publishes: each of its frames is handed to `take`, and nothing comes back. */
export function feedTransport(take: (topic: Topic, frame: Uint8Array | string) => void): Transport {
  return {
    name: 'recording',
    capabilities: {
      ...{ scope: 'process', echoes: false, ordered: true, watch: false },
      maxFrameBytes: () => Infinity,
    },
    open: async () => {},
    send(topic, frame) {
      take(topic, frame)
      return 'sent'
    },
    join: async () => {},
    leave() {},
    watch: () => Promise.reject(new Error('Nothing comes back from a feed.')),
    flush: async () => {},
    close: async () => {},
  }
}
