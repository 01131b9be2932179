// Run as a process of its own: opens and closes in every way many times, then prints what is left, and ends only
// if nothing keeps it alive. Arguments: a server, a peer that says nothing, one that never finishes TLS.
import type { Transport } from 'rivulet'
import { type NatsTlsOptions, nats } from '../src/index.ts'
import { POSITIONS, Recorder, rejection, within } from './host.ts'

const [server = '', silent = '', halfSecure = ''] = process.argv.slice(2)
const host = new Recorder()

async function connectAndClose(): Promise<void> {
  const transport = nats({ servers: server, user: 'ann', password: 'right' })
  await transport.open(host, within())
  await transport.join(POSITIONS, within())
  transport.send(POSITIONS, 'x')
  await transport.close(within())
}

async function isRefused(): Promise<void> {
  await rejection(nats({ servers: server }).open(host, within()))
}

type Abort = (transport: Transport, control: AbortController) => unknown

async function isAborted(servers: string, abort: Abort) {
  await Promise.all([undefined, { handshakeFirst: true }].map((tls) => isAbortedOver(tls, servers, abort)))
}

async function isAbortedOver(tls: NatsTlsOptions | undefined, servers: string, abort: Abort) {
  const transport = nats({ servers, ...(tls && { tls }) })
  const control = new AbortController()
  const opening = rejection(transport.open(host, control.signal))
  await abort(transport, control)
  await opening
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

async function everyWay(round: number): Promise<void> {
  await connectAndClose()
  await isRefused()
  for (const target of [silent, halfSecure, server]) {
    await isAborted(target, (_transport, control) => control.abort())
    await isAborted(target, async (_transport, control) => {
      await pause(round % 5)
      control.abort()
    })
    await isAborted(target, (transport) => transport.close(within()))
  }
}

async function timesOut(): Promise<void> {
  const options = [
    { servers: silent },
    { servers: halfSecure },
    { servers: silent, tls: { handshakeFirst: true } },
  ]
  await Promise.all(options.map((option) => rejection(nats(option).open(host, within()))))
}

/** The handle of a destroyed socket closes in the next turns of the event loop. */
async function resources(): Promise<string[]> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate)
  return process.getActiveResourcesInfo().sort()
}

// Once to load everything that is loaded at first use.
await everyWay(0)
const before = await resources()
for (let round = 0; round < 200; round += 1) await connectAndClose()
for (let round = 0; round < 20; round += 1) await everyWay(round)
await timesOut()
const after = await resources()
console.log(JSON.stringify({ before, after, downs: host.downs.length }))
