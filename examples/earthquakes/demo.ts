// One hub publishes a week of earthquakes, three hubs read it, and at the end every message is accounted for.
import { setTimeout as sleep } from 'node:timers/promises'
import { type LiveTable, showLiveTable } from '@rivulet/cli'
import { type MemoryBus, memoryBus } from '@rivulet/memory'
import { createHub, type Hub } from 'rivulet'
import { tapHub } from 'rivulet/tap'
import { lawsOf, lawTable, ledgerTable, type ReaderAccount } from './ledger.ts'
import { type Hubs, openOnBroker } from './other-processes.ts'
import { type Quake, type Replay, readQuakes, replay, whenOf } from './quakes.ts'
import { openQuakes, READER_NAMES, READERS, type ReaderName } from './readers.ts'
import { showRefusals } from './refusals.ts'
import { type DemoOptions, parseOptions, showProgress, textTable } from './terminal.ts'

const INTERRUPTED = 130
// Just over the average rate: a swarm of quakes has to wait its turn, and the week still ends in time.
const HEADROOM = 1.05
const BURST = 30
// The slow reader takes twice as long for a quake as there is on average.
const SLOWNESS = 2

const options = parseOptions(process.argv.slice(2))
const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
// Programs like `head` close the pipe when they have enough; then the output has no reader.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  stop.abort()
})

try {
  process.exitCode = (await runDemo(options, stop.signal)) ? 0 : 1
} catch (error) {
  if (stop.signal.aborted) {
    console.log('Stopped: every hub is closed.')
    process.exitCode = INTERRUPTED
  } else {
    // One sentence: the broker is unavailable, or not installed.
    console.error(error instanceof Error ? error.message : error)
    process.exitCode = 1
  }
}

/** Runs the demo and prints it. Resolves to whether every law is met; rejects when `signal` aborts. */
async function runDemo(options: DemoOptions, signal: AbortSignal): Promise<boolean> {
  const print = options.quiet ? () => {} : (text: string) => console.log(text)
  const quakes = await readQuakes()
  const perSecond = quakes.length / options.seconds
  const limit = { ratePerSecond: Math.ceil(perSecond * HEADROOM), burst: BURST }
  const hubs = await openHubs(options, (SLOWNESS * 1000) / perSecond, signal)
  const { publisher, way, finish, close } = hubs
  // One frame a quake: the bus loses frames, so a seed loses the same quakes whatever shares a tick.
  const stream = publisher.stream<Quake>('quakes', { limit, batch: false })
  print(`${quakes.length} earthquakes, a week of them, in ${options.seconds} s: ${way}.
They come in swarms, ${Math.round(perSecond)} a second on average. The limit is just over the average:
${limit.ratePerSecond} a second and bursts of ${limit.burst}, so a swarm has to wait its turn.
`)
  const table = options.tap ? await openTable(hubs) : undefined
  // A table has the terminal for itself.
  const hasBar = !options.quiet && !(options.tap && process.stdout.isTTY)
  const progress = hasBar ? showProgress(stream, quakes.length) : undefined
  try {
    const replayed = await replay(stream, quakes, options.seconds, signal)
    progress?.stop()
    await hubs.handedOver()
    if (table !== undefined) console.log(table.stop().join('\n'))
    print(storyOf(replayed))
    print(await showRefusals(publisher, quakes, signal))
    const holds = report(publisher, await finish(), replayed.published)
    print(nextSteps(hubs))
    return holds
  } catch (error) {
    progress?.stop()
    table?.stop()
    const { accepted, confirmed } = await publisher.close()
    if (signal.aborted) console.log(`\nInterrupted: ${accepted} messages published, ${confirmed} confirmed.`)
    throw error
  } finally {
    await close()
  }
}

function openHubs(options: DemoOptions, pauseMs: number, signal: AbortSignal): Promise<Hubs> {
  const isLocal = options.transport === undefined && options.broker === undefined
  return isLocal ? openOnBus(options, pauseMs) : openOnBroker(options, pauseMs, signal)
}

/** Opens every hub in this process, on a bus that may lose frames on purpose. */
async function openOnBus({ loss, seed }: DemoOptions, pauseMs: number): Promise<Hubs> {
  const bus = memoryBus({ seed, loss })
  const publisher = createHub({ name: 'earthquakes', transport: bus.transport() })
  const readers = await Promise.all(READER_NAMES.map(openReader))
  await publisher.ready()

  async function openReader(label: ReaderName) {
    const transport = bus.transport()
    const hub = createHub({ name: 'earthquakes', transport })
    const findings = READERS[label](hub, pauseMs)
    await openQuakes(hub).subscribe(() => {}).ready
    const finish = async (): Promise<ReaderAccount> => {
      const ledger = await hub.close()
      return { label, ledger, ...(await findings()), lost: bus.counts(transport).lost, knowsAllLost: true }
    }
    return { hub, finish }
  }

  let watcher: Hub | undefined
  const fate = loss > 0 ? `; it loses ${loss * 100} % of what it carries (seed ${seed})` : ''
  return {
    publisher,
    way: `one hub publishes, three read over a memory bus${fate}`,
    async openWatcher() {
      watcher = createHub({ name: 'earthquakes', transport: bus.transport() })
      return watcher
    },
    handedOver: () => publisher.flush().then(() => delivered(bus)),
    async finish() {
      await publisher.close()
      await delivered(bus)
      return Promise.all(readers.map((reader) => reader.finish()))
    },
    async close() {
      await Promise.all([publisher, watcher, ...readers.map(({ hub }) => hub)].map((hub) => hub?.close()))
    },
  }
}

/** Resolves when no frame is in flight any more. */
async function delivered(bus: MemoryBus): Promise<void> {
  while (bus.counts().inFlight > 0) await sleep(1)
}

/** Shows the activity of every stream of the hubs, by another hub. */
async function openTable({ openWatcher }: Hubs): Promise<LiveTable> {
  const watcher = await openWatcher()
  const tap = tapHub(watcher, () => {})
  await tap.ready
  return showLiveTable(watcher, tap)
}

function nextSteps({ address }: Hubs): string {
  const live = 'npm run demo -- --tap shows the streams live, in a table;'
  const anywhere = `npx rivulet tap --url ${address ?? 'URL'} does so for any hub on a broker.`
  return `\nWhere to look next: ${live}\n${anywhere} npx rivulet --help lists what else there is.`
}

function storyOf({ published, waited, longestDelayMs }: Replay): string {
  const late = Math.round(longestDelayMs)
  return `\n${published} quakes published. ${waited} waited for the limit, and went out ${late} ms late at most.\n`
}

/** Prints the results, and returns whether every law is met. */
function report(publisher: Hub, readers: readonly ReaderAccount[], published: number): boolean {
  const own = { label: 'publisher', ledger: publisher.ledger() }
  const laws = lawsOf(own, readers, published)
  const broken = laws.filter(({ holds }) => !holds).length
  const strongest = readers.flatMap((reader) => reader.strongest ?? [])
  const rows = strongest.map((quake) => [
    `M ${quake.properties.mag.toFixed(1)}`,
    whenOf(quake),
    quake.properties.place,
  ])
  console.log(`${readers.map(({ label, story }) => `${label.padEnd(9)} ${story}`).join('\n')}

The strongest quakes, as the pipeline saw them
${textTable(rows)}

The ledger of every hub
${ledgerTable([own, ...readers])}

The laws
${lawTable(laws)}
${broken === 0 ? `All ${laws.length} laws hold.` : `${broken} of ${laws.length} laws are BROKEN.`}`)
  return broken === 0
}
