export type { WebSocketConstructor, WebSocketLike, WebSocketOptions } from './client/options.ts'
export { transportFromUrls, websocket } from './client/websocket.ts'
