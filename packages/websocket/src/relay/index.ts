export { type PageCounts, type Pages, type PagesOptions, servePages } from './pages.ts'
export { type Relay, relay } from './relay.ts'
export type {
  PageAction,
  PageHandler,
  PageHello,
  PageRefusal,
  PageSession,
  PageSocket,
  PagesLog,
} from './session.ts'
