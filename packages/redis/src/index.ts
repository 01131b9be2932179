export type { RedisOptions, RedisSentinelOptions, RedisTlsOptions } from './options.ts'
export { redis } from './redis.ts'
export { transportFromUrls } from './url.ts'
