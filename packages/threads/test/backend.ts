import { threads } from '@rivulet/threads'
import type { ContractBackend } from 'rivulet/testing'
import { breakableChannels } from './breakable-channels.ts'
import { startThread } from './thread.ts'

/** Makes a bus with breakable channels for the contract suite, and a sender in another thread. */
export async function createBackend(): Promise<ContractBackend> {
  const name = `contract-${crypto.randomUUID()}`
  const channels = breakableChannels()
  return {
    transport: () => threads({ name, makeChannel: channels.make }),
    elsewhere: async (topic, frame) => {
      await startThread('elsewhere-thread.ts', { name, topic, frame }).ended
    },
    down: async () => channels.down(),
    up: async () => channels.up(),
    close: async () => {},
  }
}
