export { MAX_MESSAGE_BYTES, MAX_PENDING_BYTES } from '@rivulet/websocket/protocol'
export type { PageCounts } from './pages/page-counts.ts'
export { type Pages, servePages } from './pages/pages.ts'
export type { PagesOptions } from './pages/pages-options.ts'
export { type Relay, relay } from './pages/relay/relay.ts'
export type {
  PageAction,
  PageHandler,
  PageHello,
  PageRefusal,
  PageSession,
  PageSocket,
  PagesLog,
} from './pages/session.ts'
