export type { DestinationTemplate } from './attributes.ts'
export { type ObserveOptions, observe } from './observe.ts'
export { type MessageTracing, type TraceOptions, traceMessages } from './trace-messages.ts'
