import { testTransport } from 'rivulet/testing'
import { test } from 'vitest'
import { busBackend } from './bus-backend.ts'

testTransport({ test, create: async () => busBackend() })
