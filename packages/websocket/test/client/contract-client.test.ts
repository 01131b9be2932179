import { testTransport } from 'rivulet/testing'
import { test } from 'vitest'
import { clientBackend } from '../support/contract-backends.ts'

testTransport({ test, create: clientBackend, waitMs: 15_000 })
