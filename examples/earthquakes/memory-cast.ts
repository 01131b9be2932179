import { setTimeout as sleep } from 'node:timers/promises'
import { type MemoryBus, memoryBus } from '@rivulet/memory'
import { createHub, type Transport } from 'rivulet'
import type { Cast, ReaderAccount, Script } from './cast.ts'
import type { DemoOptions } from './options.ts'
import { openPipelineReader } from './pipeline-reader.ts'
import { openPlainReader } from './plain-reader.ts'
import type { Reader } from './reader.ts'
import { openSlowReader } from './slow-reader.ts'

interface Seat {
  readonly reader: Reader
  /** The bus counts for it. */
  readonly transport: Transport
}

/** Opens every hub in this process, on a bus that may lose on purpose. */
export async function openMemoryCast({ loss, seed }: DemoOptions, script: Script): Promise<Cast> {
  const bus = memoryBus({ seed, loss })
  const { hub: seismograph } = connect(bus)
  const open = [
    (hub: Reader['hub']) => openPlainReader(hub, script.onBigQuake),
    openPipelineReader,
    (hub: Reader['hub']) => openSlowReader(hub, script.pauseMs),
  ]
  const seats: Seat[] = []
  for (const openReader of open) {
    const { hub, transport } = connect(bus)
    seats.push({ reader: await openReader(hub), transport })
  }
  await seismograph.ready()
  const close = async () => {
    await seismograph.close()
    while (bus.counts().inFlight > 0) await sleep(1)
    for (const { reader } of seats) await reader.hub.close()
  }
  const finish = async () => {
    await close()
    return Promise.all(seats.map((seat) => accountOf(seat, bus)))
  }
  const fate = loss > 0 ? `; it loses ${loss * 100} % of what it carries (seed ${seed})` : ''
  return { seismograph, way: `one hub publishes, three read over a memory bus${fate}`, finish, close }
}

function connect(bus: MemoryBus) {
  const transport = bus.transport()
  return { hub: createHub({ name: 'earthquakes', transport }), transport }
}

async function accountOf({ reader, transport }: Seat, bus: MemoryBus): Promise<ReaderAccount> {
  const { label, hub, finished, seen, story, strongest } = reader
  await finished
  const { lost } = bus.counts(transport)
  const told = { story: story(), strongest: strongest?.() }
  return { label, ledger: hub.ledger(), seen: seen(), lost, knowsAllLost: true, ...told }
}
