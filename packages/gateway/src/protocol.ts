// The entry `@rivulet/gateway/protocol`: what a protocol needs that a gateway serves beside pages.
export type { Caller } from './access/caller.ts'
export type { Action, Permission } from './access/grant.ts'
export type { TokenResult } from './access/token.ts'
export {
  type Answer,
  answerWith,
  codeOf,
  emptyAnswer,
  jsonAnswer,
  otherAnswer,
  problemAnswer,
  textAnswer,
  unavailable,
} from './base/answer.ts'
export type { GatewayLog } from './base/gateway-log.ts'
export { invalid } from './base/invalid.ts'
export {
  checkNames,
  checkOptions,
  type Form,
  isObject,
  MAX_NUMBER,
  numberFrom,
  switchOf,
  TEXT,
} from './base/options.ts'
export { ApiError, PROBLEMS, type Problem, type WriteProblem, writtenOnce } from './base/problem.ts'
export { decodeSegment } from './base/segment.ts'
export { unref } from './base/unref.ts'
export { OPTION_NAMES } from './gateway/gateway-options.ts'
export {
  GATEWAY_BOUNDS,
  type GatewayLimits,
  type GivenLimits,
  type GroupBounds,
  type LimitBounds,
  limitsOf,
  refuseFormerLimits,
} from './gateway/limits.ts'
export type { ClientSocket } from './http/client-socket.ts'
export type {
  MountProtocol,
  Protocol,
  ProtocolCounts,
  ProtocolHost,
  ProtocolRequest,
  ProtocolRoute,
  TextRequest,
  TextRoute,
} from './http/protocol.ts'
export type { ServedSocket, SocketEndpoint, SocketHandler } from './http/socket-endpoint.ts'
export { beatsUntilStalled, Heartbeat } from './sessions/heartbeat.ts'
export { Outbox, type OutboxCounts, type OutboxLimits, type OutboxSocket } from './sessions/outbox.ts'
export { type PendingConnection, PendingConnections } from './sessions/pending.ts'
export { Quota } from './sessions/quota.ts'
export { TokenEnd, type TokenEvents } from './sessions/token-end.ts'
export {
  Broadcast,
  type Ending,
  type Gap,
  type Hold,
  type MessageEncoder,
  type StreamListener,
} from './sse/broadcast.ts'
export { dataJson } from './sse/data-json.ts'
export {
  asksForEvents,
  LISTENING_BOUNDS,
  Listening,
  type ListeningCounts,
  type ListeningLimits,
  type ListenRequest,
} from './sse/listening.ts'
export { messageEvent } from './sse/sse-listener.ts'
