import { randomBytes } from 'node:crypto'
import { openHub } from 'rivulet'
import type { Cast, Script } from './cast.ts'
import type { BrokerName, DemoOptions } from './options.ts'
import { ReaderProcess } from './reader-process.ts'

const OPEN_TIMEOUT_MS = 5000
const READERS = ['plain', 'pipeline', 'slow']

/** Opens a hub in this process that publishes, and starts a process for each reader. */
export async function openNetworkCast(
  options: DemoOptions,
  script: Script,
  signal: AbortSignal,
): Promise<Cast> {
  const broker = options.broker === undefined ? undefined : await startBroker(options.broker)
  const url = broker?.url ?? options.transport ?? ''
  // A name of its own, so that two demos on one broker do not meet.
  const name = `earthquakes-${randomBytes(4).toString('hex')}`
  const readers: ReaderProcess[] = []
  const close = async () => {
    await Promise.all(readers.map((reader) => reader.end()))
    await broker?.close()
  }
  try {
    const seismograph = await openHub({ transport: url, name }, { signal, timeoutMs: OPEN_TIMEOUT_MS })
    // An outage is in the ledgers; no need to tell of it twice.
    seismograph.on('error', () => {})
    for (const kind of READERS) readers.push(new ReaderProcess(kind, { ...script, url, name }))
    await Promise.all(readers.map((reader) => reader.joined))
    const finish = async () => {
      // Ends the stream for the readers too: its number tells them whether they missed the last ones before it.
      seismograph.stream('quakes').remove()
      await seismograph.close()
      return Promise.all(readers.map((reader) => reader.finish()))
    }
    const closeAll = async () => {
      await seismograph.close()
      await close()
    }
    const way = `this process publishes, three others read over ${withoutSecrets(url)}`
    return { seismograph, way, finish, close: closeAll }
  } catch (error) {
    await close()
    throw error
  }
}

/** Starts a broker of our own on a free port of this machine. */
async function startBroker(name: BrokerName): Promise<{ readonly url: string; close(): Promise<void> }> {
  const { startMosquitto, startNats } = await import('../../test/support/brokers.ts')
  return name === 'nats' ? startNats() : startMosquitto()
}

function withoutSecrets(url: string): string {
  const { protocol, host } = new URL(url)
  return `${protocol}//${host}`
}
