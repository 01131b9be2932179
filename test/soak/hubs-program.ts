// The hubs of a soak in a process of its own, driven over IPC. It ends by itself once its hubs are closed and its
// parent has hung up, if nothing else keeps it alive. What it notes goes to the parent at once: what it holds are hubs.
import type { Ledger } from 'rivulet'
import { type Census, takeCensus } from './census.ts'
import { Crowd, type CrowdOptions, ENTRY_LENGTH, type Witness } from './crowd.ts'
import { LedgerCheck } from './ledgers.ts'
import { Meter, type Sample } from './meter.ts'

const MOST_ENTRIES = 10_000
const EVERY_MS = 25

/** What the process does when it is told to. */
export interface Acts {
  /** Opens the hubs and starts the load. */
  open(options: CrowdOptions): Promise<void>
  sample(): Sample
  /** Stops the load, checks that everything works, and goes on unless it is the last time. */
  census(isLast: boolean): Promise<Census | undefined>
  /** Closes the hubs and gives their ledgers. */
  close(): Promise<readonly Ledger[]>
}

/** What the process tells its parent. */
export type Told =
  | { readonly entries: Int32Array }
  | { readonly law: string; readonly text: string }
  | { readonly value: unknown }
  | { readonly error: string }

const tell = (told: Told) => process.send?.(told)
const entries = new Int32Array(MOST_ENTRIES * ENTRY_LENGTH)
let length = 0

const witness: Witness = {
  note(kind, site, stream, id) {
    entries.set([kind, site, stream, id], length)
    length += ENTRY_LENGTH
    if (length === entries.length) tellEntries()
  },
  broken: (law, text) => tell({ law, text }),
}

const meter = new Meter()
let crowd: Crowd
let check: LedgerCheck
let timer: NodeJS.Timeout
let isOpen = true

const acts: Acts = {
  async open(options) {
    crowd = await Crowd.open(options, witness)
    check = new LedgerCheck(crowd, witness)
    timer = setInterval(look, EVERY_MS)
    crowd.startLoad()
    meter.sample(crowd)
  },
  sample: () => meter.sample(crowd),
  async census(isLast) {
    crowd.stopLoad()
    const census = await takeCensus(crowd, witness)
    check.lookAtAllHubs()
    if (!isLast) crowd.startLoad()
    return census
  },
  async close() {
    crowd.stopLoad()
    clearInterval(timer)
    meter.stop()
    const ledgers = await Promise.all(crowd.sites.map(({ hub }) => hub.close()))
    isOpen = false
    for (const site of crowd.sites) site.subscribers = 0
    check.lookAtAllHubs()
    tellEntries()
    return ledgers
  },
}

function look(): void {
  check.look()
  tellEntries()
}

function tellEntries(): void {
  if (length > 0) tell({ entries: entries.slice(0, length) })
  length = 0
}

process.on('message', async ({ act, args }: { act: keyof Acts; args: readonly unknown[] }) => {
  try {
    const run = acts[act] as (...args: readonly unknown[]) => unknown
    tell({ value: await run(...args) })
  } catch (error) {
    tell({ error: error instanceof Error ? `${error.stack}` : String(error) })
  }
})
// Ctrl-C in a terminal reaches the whole group of processes; the parent ends this one in good order.
process.on('SIGINT', () => {})
process.on('disconnect', () => {
  if (isOpen) process.exit(1)
})
