export type { BusCounts } from './bus-counts.ts'
export type { MemoryBusOptions } from './bus-options.ts'
export { type MemoryBus, memoryBus } from './memory-bus.ts'
export { transportFromUrls } from './named-bus.ts'
