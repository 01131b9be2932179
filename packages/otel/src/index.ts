export type { DestinationTemplate } from './attributes.ts'
export { type ObserveOptions, observe } from './observe.ts'
