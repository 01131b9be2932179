export { runOutside } from './base/async-context.ts'
export type { Environment } from './base/environment.ts'
export { type JoinChange, type JoinEvents, Joins, keepJoins } from './connection/joins.ts'
export { type Adapter, makeTransport, type TransportConnection } from './connection/make-transport.ts'
export {
  type DecodedFrame,
  decodeFrame,
  type FrameEntry,
  isRemoval,
  lastSid,
  MAX_INCOMING_BYTES,
  type Removal,
} from './model/frame.ts'
export { LeakyBucket } from './model/leaky-bucket.ts'
export type { Sid } from './model/message.ts'
export { DEFAULT_TIMEOUTS, dialShareMs, type Timeouts, timeoutsOf } from './model/timeouts.ts'
export { hubNameOf, readTopic, streamNameOf } from './model/topic.ts'
export { loadTransport } from './open-hub.ts'
