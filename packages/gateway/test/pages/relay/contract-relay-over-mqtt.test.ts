import { testTransport } from 'rivulet/testing'
import { test } from 'vitest'
import { relayOverMqttBackend } from '../../support/contract-backends.ts'

testTransport({ test, create: relayOverMqttBackend, waitMs: 15_000 })
