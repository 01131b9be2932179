import type { Topic, Transport } from 'rivulet'

/** Makes the transport of a hub that only publishes: it passes each frame to `take`, and receives none. */
export function feedTransport(take: (topic: Topic, frame: Uint8Array | string) => void): Transport {
  return {
    name: 'recording',
    capabilities: {
      scope: 'process',
      echoes: false,
      ordered: true,
      watch: false,
      maxFrameBytes: () => Infinity,
    },
    open: async () => {},
    send(topic, frame) {
      take(topic, frame)
      return 'sent'
    },
    join: async () => {},
    leave() {},
    watch: () => Promise.reject(new Error('A feed receives nothing.')),
    flush: async () => {},
    close: async () => {},
  }
}
