import { testTransport } from 'rivulet/testing'
import { describe, test } from 'vitest'
import { REDIS_PROGRAMS } from '../../../test/support/redis-servers.ts'
import { createBackend } from './backend.ts'

describe.each(REDIS_PROGRAMS)('%s', (server) => {
  testTransport({ test, create: () => createBackend(server), waitMs: 15_000 })
})
