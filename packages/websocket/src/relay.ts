export { MAX_MESSAGE_BYTES, MAX_STRANGER_BYTES } from './base/protocol.ts'
export type { PageCounts } from './pages/page-counts.ts'
export { type Pages, servePages } from './pages/pages.ts'
export type { PagesOptions } from './pages/pages-options.ts'
export type {
  PageAction,
  PageHandler,
  PageHello,
  PageRefusal,
  PageSession,
  PageSocket,
  PagesLog,
} from './pages/session.ts'
export { type Relay, relay } from './relay/relay.ts'
