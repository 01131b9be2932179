// The entry `@rivulet/twilio/registry-nats`, which takes the packages @nats-io/kv and @nats-io/transport-node.
export type { NatsRegistryOptions } from './registry/nats-bucket.ts'
export { openNatsRegistry } from './registry/nats-registry.ts'
