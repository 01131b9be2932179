export type { MemoryBusOptions } from './bus-options.ts'
export type { BusCounts } from './client.ts'
export { type MemoryBus, memoryBus } from './memory-bus.ts'
export { transportFromUrls } from './named-bus.ts'
