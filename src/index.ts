export { type ErrorCode, type ErrorDetails, RivuletError } from './errors.ts'
export type { Topic } from './topic.ts'
export type { Capabilities, Transport, TransportHost, TransportModule } from './transport.ts'
