export {
  type Action,
  type Answer,
  type ApiKey,
  attachWebSockets,
  bunWebSocket,
  DEFAULT_SERVICE_SID,
  type DirectPublish,
  type DirectRequest,
  type Gateway,
  type GatewayCounts,
  type GatewayLog,
  type GatewayServer,
  type Grant,
  type MetricsServer,
  type NodeHandler,
  type PageHandler,
  type PageRequest,
  type PageSocket,
  type Relay,
  relay,
  type ServeMetricsOptions,
  type ServeOptions,
  serve,
  serveMetrics,
  type TakeBody,
  toNodeHandler,
} from '@rivulet/gateway'
export { createGateway, type GatewayOptions, type TwilioGateway } from './mount/create-gateway.ts'
export { type GatewayLimits, type GivenLimits, LIMIT_BOUNDS, type TwilioLimits } from './mount/limits.ts'
export type { TwilioOptions } from './mount/twilio-options.ts'
export { twilio } from './mount/twilio-protocol.ts'
export { memoryRegistry } from './registry/memory-registry.ts'
export type {
  PageEdge,
  PageQuery,
  RecordPage,
  RemovalListener,
  RemovalReason,
  StreamRegistry,
} from './registry/registry.ts'
export type { StreamRecord } from './registry/stream-record.ts'
export type { TwilsockHandler, TwilsockSocket } from './twilsock/socket.ts'
