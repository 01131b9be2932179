export type { Channel } from './channel.ts'
export type { ThreadsOptions } from './options.ts'
export { threads } from './threads.ts'
export { transportFromUrls } from './url.ts'
