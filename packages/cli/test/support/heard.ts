import { openHub } from 'rivulet'
import { onTestFinished } from 'vitest'

/** The messages that a hub of the test receives on a stream. */
export interface Heard {
  /** Resolves to the data of all messages so far, once there are so many. */
  take(count: number): Promise<readonly unknown[]>
  close(): Promise<void>
}

/** Subscribes with a hub of this process. Resolves when the subscription is confirmed; the hub closes with the test. */
export async function heardOn(url: string, stream: string, name = 'default'): Promise<Heard> {
  const hub = await openHub({ transport: url, name })
  // Some tests stop the broker on purpose.
  hub.on('error', () => {})
  const data: unknown[] = []
  let came = () => {}
  const subscription = hub.stream(stream, { limit: false, maxBytes: 65_536 }).subscribe((message) => {
    data.push(message.data)
    came()
  })
  await subscription.ready
  const close = async () => void (await hub.close())
  onTestFinished(close)
  return {
    async take(count) {
      while (data.length < count) {
        await new Promise<void>((resolve) => {
          came = resolve
        })
      }
      return [...data]
    },
    close,
  }
}
