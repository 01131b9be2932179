// The demo over a broker: this process publishes, and each reader is another process.
import { fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Hub, openHub } from 'rivulet'
import type { ReaderAccount } from './ledger.ts'
import { openQuakes, READER_NAMES, READERS, type ReaderName } from './readers.ts'
import type { BrokerName, DemoOptions } from './terminal.ts'

const OPEN_TIMEOUT_MS = 5000
// Time for the end of the stream to arrive after the publisher has left.
const END_TIMEOUT_MS = 3000
// Closing a hub takes five seconds at the most.
const KILL_AFTER_MS = 7000

/** A hub that publishes, and readers that have joined its stream. */
export interface Hubs {
  readonly publisher: Hub
  /** The path of the quakes. */
  readonly way: string
  /** The address of the broker, without credentials; `undefined` without a broker. */
  readonly address?: string
  /** Opens one more hub, to watch the others. Closed with them. */
  openWatcher(): Promise<Hub>
  /** Resolves when the broker has every message; on the bus, when every hub has it. */
  handedOver(): Promise<unknown>
  /** Closes the publisher first, then the readers once they have everything; resolves to their accounts. */
  finish(): Promise<readonly ReaderAccount[]>
  /** Closes everything still open, in bounded time. May be called again. */
  close(): Promise<void>
}

/** Opens the hub that publishes, and starts a process for each reader. */
export async function openOnBroker(
  options: DemoOptions,
  pauseMs: number,
  signal: AbortSignal,
): Promise<Hubs> {
  const broker = options.broker === undefined ? undefined : await startBroker(options.broker)
  const url = broker?.url ?? options.transport ?? ''
  // A unique name, so that two demos on one broker do not meet.
  const name = `earthquakes-${randomBytes(4).toString('hex')}`
  const readers: ReaderProcess[] = []
  const hubs: Hub[] = []
  const open = async () => {
    const hub = await openQuietly(url, name, signal)
    hubs.push(hub)
    return hub
  }
  const close = async () => {
    await Promise.all(hubs.map((hub) => hub.close()))
    await Promise.all(readers.map((reader) => reader.end()))
    await broker?.close()
  }
  try {
    const publisher = await open()
    for (const reader of READER_NAMES) readers.push(startReader(reader, name, url, pauseMs))
    await Promise.race([Promise.all(readers.map(({ joined }) => joined)), once(signal, 'abort')])
    const finish = async () => {
      // Ends the stream for the readers too; the number of this message shows them whether they missed the last quakes.
      publisher.stream('quakes').remove()
      await publisher.close()
      return Promise.all(readers.map((reader) => reader.finish()))
    }
    const { protocol, host } = new URL(url)
    const address = `${protocol}//${host}`
    const way = `this process publishes, three others read over ${address}`
    return { publisher, way, address, openWatcher: open, handedOver: () => publisher.flush(), finish, close }
  } catch (error) {
    await close()
    throw error
  }
}

async function openQuietly(url: string, name: string, signal: AbortSignal): Promise<Hub> {
  const hub = await openHub({ transport: url, name }, { signal, timeoutMs: OPEN_TIMEOUT_MS })
  // An outage is in the ledgers; no need to report it twice.
  hub.on('error', () => {})
  return hub
}

/** Starts a broker for this run, on a free port of this machine. */
async function startBroker(name: BrokerName): Promise<{ readonly url: string; close(): Promise<void> }> {
  const { startMosquitto, startNats } = await import('../../test/support/brokers.ts')
  const { startRedis } = await import('../../test/support/redis-servers.ts')
  return { nats: startNats, mosquitto: startMosquitto, redis: startRedis }[name]()
}

interface ReaderProcess {
  /** Resolves when the reader would get the first quake. */
  readonly joined: Promise<unknown>
  /** Waits for the end of the stream there, closes that hub, and resolves to the reader's account. */
  finish(): Promise<ReaderAccount>
  /** Ends the process; kills it when that takes too long. */
  end(): Promise<void>
}

function startReader(reader: ReaderName, hubName: string, url: string, pauseMs: number): ReaderProcess {
  // The URL may contain a password, which a command line would show to all users of this machine.
  const env = { ...process.env, RIVULET_URL: url }
  const child = fork(import.meta.filename, [reader, hubName, String(pauseMs)], { env })
  const exit = once(child, 'exit')
  const early = exit.then(([code, signal]) => {
    throw new Error(`The process of the ${reader} reader ended early, with ${code ?? signal}.`)
  })
  early.catch(() => {})
  const answer = async () => (await Promise.race([once(child, 'message'), early]))[0]
  return {
    joined: answer(),
    finish() {
      const account = answer()
      if (child.connected) child.send('finish')
      return account
    },
    async end() {
      if (child.connected) child.disconnect()
      const timer = setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS)
      await exit
      clearTimeout(timer)
    },
  }
}

// From here on: the program of a reader's process.
if (process.argv[1] === import.meta.filename) {
  // Ctrl-C reaches every process of the terminal; the one that publishes decides what happens.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {})
  const gone = new AbortController()
  process.once('disconnect', () => gone.abort())
  try {
    await runReader(gone.signal)
  } catch (error) {
    if (process.connected) throw error
  }
}

async function runReader(signal: AbortSignal): Promise<void> {
  const [label = '', name = '', pauseMs = ''] = process.argv.slice(2)
  const hub = await openHub({ transport: process.env.RIVULET_URL ?? '', name }, { signal })
  signal.addEventListener('abort', () => void hub.close())
  let timesDown = 0
  hub.on('error', () => {})
  hub.on('status', (status) => {
    if (status === 'down') timesDown += 1
  })
  const stream = openQuakes(hub)
  const ended = new Promise<boolean>((resolve) => stream.on('removed', () => resolve(true)))
  const findings = READERS[label as ReaderName](hub, Number(pauseMs))
  await stream.subscribe(() => {}).ready

  process.once('message', async () => {
    const hasEnded = await Promise.race([ended, sleep(END_TIMEOUT_MS, false, { ref: false })])
    const ledger = await hub.close()
    const { story, ...found } = await findings()
    const cutOff = timesDown === 0 ? '' : `; cut off ${timesDown === 1 ? 'once' : `${timesDown} times`}`
    // Every gap in the publisher's numbers is a lost quake. While the reader was disconnected it got no numbers.
    const losses = { lost: ledger.missed, knowsAllLost: hasEnded && timesDown === 0 }
    if (process.connected) process.send?.({ label, ledger, story: story + cutOff, ...found, ...losses })
  })
  if (process.connected) process.send?.('joined')
}
