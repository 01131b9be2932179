import type { Cast } from './cast.ts'
import { ledgerLaws, readerLaws } from './laws.ts'
import { openCast } from './open-cast.ts'
import type { DemoOptions } from './options.ts'
import { type Pace, paceOf } from './pace.ts'
import { createProgress, type Progress } from './progress.ts'
import { type Quake, readQuakes } from './quake.ts'
import { showRefusals } from './refusals.ts'
import { type Replay, replay } from './replay.ts'
import { lawTable, ledgerTable, strongestTable } from './report.ts'

/** Runs the demo and prints it. Resolves to whether every law holds; rejects when `signal` aborts. */
export async function runDemo(options: DemoOptions, signal: AbortSignal): Promise<boolean> {
  const tell = options.quiet ? () => {} : (text: string) => console.log(text)
  const quakes = await readQuakes()
  const pace = paceOf(quakes, options.seconds)
  const progress = createProgress(quakes.length, process.stdout.isTTY, options.quiet)
  const cast = await openCast(options, quakes.length, progress.announce, signal)
  try {
    tell(planOf(quakes, pace, cast))
    const replayed = await play(cast, quakes, pace, progress, signal)
    progress.stop()
    tell(`\n${storyOf(replayed, pace)}\n`)
    await showRefusals(cast.seismograph, quakes, tell, signal)
    return await settle(cast, replayed)
  } finally {
    progress.stop()
    await cast.close()
  }
}

function play(
  { seismograph }: Cast,
  quakes: readonly Quake[],
  { limit, dueMs }: Pace,
  progress: Progress,
  signal: AbortSignal,
): Promise<Replay> {
  // One frame a quake: the bus loses frames, so a seed loses the same quakes whatever shares a tick.
  const stream = seismograph.stream<Quake>('quakes', { limit, batch: false })
  return replay(stream, quakes, dueMs, progress.advance, signal)
}

/** Closes everything, prints the results, and tells whether all laws hold. */
async function settle(cast: Cast, { published }: Replay): Promise<boolean> {
  const readers = await cast.finish()
  const accounts = [{ label: 'seismograph', ledger: cast.seismograph.ledger() }, ...readers]
  const laws = [
    ...accounts.flatMap(({ label, ledger }) => ledgerLaws(label, ledger)),
    ...readers.flatMap((reader) => readerLaws(reader, published)),
  ]
  const broken = laws.filter(({ holds }) => !holds)
  for (const { label, story } of readers) console.log(`${label.padEnd(9)} ${story}`)
  const strongest = readers.flatMap((reader) => reader.strongest ?? [])
  console.log(`\nThe strongest quakes, as the pipeline saw them\n${strongestTable(strongest)}`)
  console.log(`\nThe ledger of every hub\n${ledgerTable(accounts)}`)
  console.log(`\nThe laws\n${lawTable(laws)}`)
  console.log(
    broken.length === 0
      ? `All ${laws.length} laws hold.`
      : `${broken.length} of ${laws.length} laws are BROKEN.`,
  )
  return broken.length === 0
}

function planOf(quakes: readonly Quake[], pace: Pace, { way }: Cast): string {
  const { seconds, averagePerSecond, peakPerSecond, limit } = pace
  return `${quakes.length} earthquakes, a week of them, in ${seconds} s: ${way}.
They come in swarms: ${Math.round(averagePerSecond)} a second on average, up to ${peakPerSecond} within one second.
The limit is just over the average, ${limit.ratePerSecond} a second and bursts of ${limit.burst}, so swarms have to wait their turn.
`
}

function storyOf({ published, waited, longestDelayMs }: Replay, { limit }: Pace): string {
  const late = Math.round(longestDelayMs)
  return `${published} quakes published. ${waited} waited for the limit of ${limit.ratePerSecond} a second, and went out ${late} ms late at most.`
}
