export { MAX_MESSAGE_BYTES, MAX_STRANGER_BYTES } from './base/protocol.ts'
export { type PageCounts, type Pages, type PagesOptions, servePages } from './pages/pages.ts'
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
