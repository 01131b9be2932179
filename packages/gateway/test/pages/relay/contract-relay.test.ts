import { testTransport } from 'rivulet/testing'
import { test } from 'vitest'
import { relayBackend } from '../../support/contract-backends.ts'

testTransport({ test, create: relayBackend, waitMs: 15_000 })
