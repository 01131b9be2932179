import { type Hub, openHub } from 'rivulet'
import { onTestFinished } from 'vitest'

/** Opens a hub without limits that closes with the test, to publish to a command. */
export async function publisherOn(url: string, name = 'default'): Promise<Hub> {
  // One message a frame, which keeps their order over all streams.
  const streamDefaults = { limit: false, maxBytes: 65_536, batch: false } as const
  const hub = await openHub({ transport: url, name, streamDefaults })
  // Some tests stop the broker on purpose.
  hub.on('error', () => {})
  onTestFinished(async () => void (await hub.close()))
  return hub
}
