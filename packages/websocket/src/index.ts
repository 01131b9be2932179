export type { WebSocketConstructor, WebSocketLike, WebSocketOptions } from './options.ts'
export { transportFromUrls, websocket } from './websocket.ts'
