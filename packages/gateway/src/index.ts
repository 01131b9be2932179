export {
  type PageHandler,
  type PageSocket,
  type Relay,
  relay,
} from '@rivulet/websocket/relay'
export type { Action, Grant } from './access/grant.ts'
export type { ApiKey } from './access/key-ring.ts'
export type { Answer } from './base/answer.ts'
export type { GatewayLog } from './base/gateway-log.ts'
export { createGateway, type Gateway, type GatewayCounts } from './gateway/gateway.ts'
export type { GatewayOptions } from './gateway/gateway-options.ts'
export { DEFAULT_SERVICE_SID } from './gateway/services.ts'
export type { DirectPublish, DirectRequest, TakeBody } from './http/publishing.ts'
export type { PageRequest } from './pages/page-request.ts'
export { bunWebSocket } from './pages/runtime-upgrade.ts'
export { memoryRegistry } from './registry/memory-registry.ts'
export type { NatsRegistryOptions } from './registry/nats-bucket.ts'
export { openNatsRegistry } from './registry/nats-registry.ts'
export type {
  PageEdge,
  PageQuery,
  RecordPage,
  RemovalListener,
  RemovalReason,
  StreamRegistry,
} from './registry/registry.ts'
export type { StreamRecord } from './registry/stream-record.ts'
export { type NodeHandler, toNodeHandler } from './server/node-handler.ts'
export { type GatewayServer, type ServeOptions, serve } from './server/serve.ts'
export { type MetricsServer, type ServeMetricsOptions, serveMetrics } from './server/serve-metrics.ts'
export { attachWebSockets } from './server/upgrade.ts'
export type { TwilsockHandler, TwilsockSocket } from './twilsock/socket.ts'
