import { testTransport } from 'rivulet/testing'
import { test } from 'vitest'
import { relayOverNatsBackend } from '../../support/contract-backends.ts'

testTransport({ test, create: relayOverNatsBackend, waitMs: 15_000 })
