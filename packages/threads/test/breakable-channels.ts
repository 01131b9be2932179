import type { Channel } from '@rivulet/threads'

/**
 * Makes real channels that can all be ended, as a `BroadcastChannel` never is by itself, and that can lose posts with
 * frames, as Deno loses those that wait for a slow thread.
 */
export function breakableChannels() {
  const open = new Map<BroadcastChannel, () => void>()
  let isDown = false
  let isLossy = false
  const loses = (post: unknown) => isLossy && Array.isArray(post)
  return {
    make(name: string): Channel {
      if (isDown) throw new Error('There are no channels now.')
      const channel = new BroadcastChannel(name)
      const closed = new EventTarget()
      open.set(channel, () => closed.dispatchEvent(new Event('close')))
      return {
        addEventListener(type, listener) {
          const target = type === 'close' ? closed : channel
          target.addEventListener(type, (event) => listener(event as MessageEvent))
        },
        postMessage: (value) => loses(value) || channel.postMessage(value),
        close() {
          open.delete(channel)
          channel.close()
        },
        unref: () => (channel as BroadcastChannel & { unref(): void }).unref(),
      }
    },
    down() {
      isDown = true
      for (const [channel, emitClose] of [...open]) {
        channel.close()
        emitClose()
      }
      open.clear()
    },
    up() {
      isDown = false
    },
    lose(isLosing: boolean) {
      isLossy = isLosing
    },
  }
}
