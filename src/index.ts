export type { StandardSchemaV1 } from '@standard-schema/spec'
export type { Environment } from './base/environment.ts'
export type { PlatformSignal } from './base/platform-signal.ts'
export type { Capabilities, Transport, TransportHost, TransportModule } from './connection/transport.ts'
export { Subscription, type SubscriptionStatus } from './deliver/subscription.ts'
export { type ErrorCode, type ErrorDetails, RivuletError } from './errors/errors.ts'
export type { RefusalCode, RefusedPublish as Refusal } from './errors/refusal.ts'
export type { HubEvents, HubStatus, StatusDetail } from './hub/events.ts'
export { createHub, Hub } from './hub/hub.ts'
export {
  type HubConfig,
  type HubConfigObject,
  loadTransport,
  type OpenOptions,
  openHub,
} from './hub/open.ts'
export type { HubOptions } from './hub/options.ts'
export type { Flushed } from './hub/wiring.ts'
export { Message } from './message/message.ts'
export type { MessageData, Snapshot } from './message/snapshot-type.ts'
export type { Topic } from './message/topic.ts'
export type { Budget } from './publish/publish.ts'
export type { Listener } from './state/deliver-part.ts'
export type { DropReason, Ledger, LossReason } from './state/ledger.ts'
export type { LimitOptions, SignalOption, StreamOptions } from './state/options.ts'
export type { CloseReason, RemovalReason, StreamEvents } from './state/stream-events.ts'
export type { TimeoutOptions, Timeouts } from './state/timeouts.ts'
export { StreamHandle } from './stream/handle.ts'
export type { IterateOptions, StreamIterator } from './stream/iterator.ts'
export type { StreamSubject } from './stream/rxjs.ts'
export { type PublishResult, Stream } from './stream/stream.ts'
export { Tap, type TapListener, type TappedStream } from './tap/tap.ts'
