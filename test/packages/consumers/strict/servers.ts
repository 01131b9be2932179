import { createGateway, serve } from '@rivulet/gateway'
import { runCommandLine } from '@rivulet/gateway/command-line'
import { servePages } from '@rivulet/gateway/relay'
import { mqtt } from '@rivulet/mqtt'
import { nats } from '@rivulet/nats'
import { observe } from '@rivulet/otel'
import { register } from '@rivulet/otel/prometheus'
import { redis } from '@rivulet/redis'
import { replay } from '@rivulet/replay'
import { createGateway as createTwilioGateway, twilio } from '@rivulet/twilio'
import { openNatsRegistry } from '@rivulet/twilio/registry-nats'
import { createHub } from 'rivulet'

const { USER, PASSWORD, PORT } = process.env
export const hubs = [
  nats({ user: USER, password: PASSWORD, tls: { ca: PASSWORD } }),
  mqtt({ url: 'mqtt://127.0.0.1', username: USER, password: PASSWORD, tls: { ca: PASSWORD } }),
  redis({ username: USER, password: PASSWORD, tls: { ca: PASSWORD } }),
  replay({ file: 'positions.ndjson', speed: undefined }),
].map((transport) => createHub({ transport }))

const hub = createHub()
const gateway = createGateway({ hub, open: true, publicUrl: process.env.PUBLIC_URL })
serve(gateway, { port: PORT === undefined ? undefined : Number(PORT), hostname: process.env.HOST })
export const gateways = [
  createGateway({ hub, open: true, protocol: twilio({ registry: undefined }) }),
  createTwilioGateway({ hub, open: true, publicUrl: process.env.PUBLIC_URL }),
]
export const others = { observe, openNatsRegistry, register, runCommandLine, servePages }
