import { testTransport } from 'rivulet/testing'
import { test } from 'vitest'
import { clientBackend } from '../../../gateway/test/support/contract-backends.ts'

testTransport({ test, create: clientBackend, waitMs: 15_000 })
