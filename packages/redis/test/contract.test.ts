import { testTransport } from 'rivulet/testing'
import { describe, test } from 'vitest'
import { createBackend } from './backend.ts'

describe.each(['redis-server', 'valkey-server'] as const)('%s', (server) => {
  testTransport({ test, create: () => createBackend(server), waitMs: 15_000 })
})
