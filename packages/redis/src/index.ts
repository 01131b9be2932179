export type { RedisOptions, RedisTlsOptions } from './options.ts'
export { redis } from './redis.ts'
export { transportFromUrls } from './url.ts'
