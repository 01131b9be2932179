import { testTransport } from 'rivulet/testing'
import { test } from 'vitest'
import { createBackend } from './backend.ts'

testTransport({ test, create: createBackend, waitMs: 15_000 })
