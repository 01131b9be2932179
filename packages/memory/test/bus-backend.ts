import { type MemoryBusOptions, memoryBus } from '@rivulet/memory'
import type { ContractBackend } from 'rivulet/testing'
import { elsewhere } from './elsewhere.ts'

/** Makes the contract suite's backend from a bus. */
export function busBackend(options?: MemoryBusOptions): ContractBackend {
  const bus = memoryBus(options)
  return {
    transport: () => bus.transport(),
    elsewhere,
    down: async () => bus.down(),
    up: async () => bus.up(),
    close: async () => {},
  }
}
