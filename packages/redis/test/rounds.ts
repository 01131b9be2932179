// Run as a process of its own: opens and closes in every way many times, then prints what is left, and ends only
// if nothing keeps it alive. Arguments: a server, a peer that says nothing, the path of the server's Unix socket.
import type { Transport } from 'rivulet'
import { type RedisOptions, redis } from '../src/index.ts'
import { POSITIONS, Recorder, rejection, within } from './host.ts'

const [server = '', silent = '', path = ''] = process.argv.slice(2)
const credentials = { username: 'ann', password: 'right' }
const host = new Recorder()

async function connectAndClose(options: RedisOptions): Promise<void> {
  const transport = redis({ ...options, ...credentials })
  await transport.open(host, within())
  await transport.join(POSITIONS, within())
  transport.send(POSITIONS, 'x')
  await transport.close(within())
}

async function isRefused(): Promise<void> {
  await rejection(redis({ servers: server }).open(host, within()))
}

type Abort = (transport: Transport, control: AbortController) => unknown

async function isAborted(servers: string, abort: Abort) {
  await Promise.all([false, true].map((tls) => isAbortedOver(tls, servers, abort)))
}

async function isAbortedOver(tls: boolean, servers: string, abort: Abort) {
  const transport = redis({ servers, tls })
  const control = new AbortController()
  const opening = rejection(transport.open(host, control.signal))
  await abort(transport, control)
  await opening
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

async function everyWay(round: number): Promise<void> {
  await connectAndClose({ servers: server })
  await connectAndClose({ path })
  await isRefused()
  for (const target of [silent, server]) {
    await isAborted(target, (_transport, control) => control.abort())
    await isAborted(target, async (_transport, control) => {
      await pause(round % 5)
      control.abort()
    })
    await isAborted(target, (transport) => transport.close(within()))
  }
}

async function timesOut(): Promise<void> {
  const options = [{ servers: silent }, { servers: silent, tls: true }]
  await Promise.all(options.map((option) => rejection(redis(option).open(host, within()))))
}

/** The handle of a destroyed socket closes in the next turns of the event loop. */
async function resources(): Promise<string[]> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate)
  return process.getActiveResourcesInfo().sort()
}

// Once to load everything that is loaded at first use.
await everyWay(0)
const before = await resources()
for (let round = 0; round < 200; round += 1) await connectAndClose({ servers: server })
for (let round = 0; round < 20; round += 1) await everyWay(round)
await timesOut()
const after = await resources()
console.log(JSON.stringify({ before, after, downs: host.downs.length }))
