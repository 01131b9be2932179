import { testTransport } from 'rivulet/testing'
import { test } from 'vitest'
import { createBackend } from './contract-backend.ts'

testTransport({ test, create: () => createBackend(5), waitMs: 15_000 })
