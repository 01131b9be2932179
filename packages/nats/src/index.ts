export { nats } from './nats.ts'
export type { NatsOptions, NatsTlsOptions } from './options.ts'
export { transportFromUrls } from './url.ts'
