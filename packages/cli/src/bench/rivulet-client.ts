import type { Hub } from 'rivulet'
import { openAt } from '../connection/open-at.ts'
import type { BenchClient, BenchPlace } from './bench-client.ts'
import { isBenchData, LARGEST_BYTES } from './payload.ts'

/** Options of the bench's streams: they measure the transport, not the limit of a stream. */
const STREAM_OPTIONS = Object.freeze({ limit: false, maxBytes: LARGEST_BYTES } as const)

/** Opens a hub for the bench. Rejects when the broker is away or refuses. */
export async function openRivuletClient(place: BenchPlace, signal: AbortSignal): Promise<BenchClient> {
  const { timeoutMs } = place
  return clientOf(await openAt(place, { timeoutMs, signal }, { streamDefaults: STREAM_OPTIONS }))
}

function clientOf(hub: Hub): BenchClient {
  const refusals = new Set<string>()
  let disconnected = 0
  hub.on('error', ({ code, message }) => {
    if (code === 'TRANSPORT_FAILED') refusals.add(message)
  })
  hub.on('status', (status) => {
    if (status === 'down') disconnected += 1
  })
  return {
    publisher(name) {
      const stream = hub.stream(name)
      // The ledger counts a refusal.
      return (data) => void stream.tryPublish(data)
    },
    async subscribe(name, listener) {
      const subscription = hub.stream(name).subscribe(({ data }) => {
        if (isBenchData(data)) listener(data)
      })
      await subscription.ready
    },
    flush: async () => void (await hub.flush()),
    async close() {
      const ledger = await hub.close()
      return { ...ledger, published: ledger.accepted, disconnected, refusals: [...refusals] }
    },
  }
}
