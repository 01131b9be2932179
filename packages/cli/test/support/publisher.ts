import { type Hub, openHub } from 'rivulet'
import { onTestFinished } from 'vitest'

/** Opens a hub without limits that closes with the test, for what a command is to hear. */
export async function publisherOn(url: string, name = 'default'): Promise<Hub> {
  // A message a frame: so they keep their order over all streams.
  const streamDefaults = { limit: false, maxBytes: 65_536, batch: false } as const
  const hub = await openHub({ transport: url, name, streamDefaults })
  // Tests that stop the broker mean to.
  hub.on('error', () => {})
  onTestFinished(async () => void (await hub.close()))
  return hub
}
