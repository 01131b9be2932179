import { type ChildProcess, spawn } from 'node:child_process'
import { hostname } from 'node:os'
import type { Hub } from 'rivulet'
import { until } from '../base/until.ts'
import { type CheckResult, ok, skipped, warning } from './result.ts'

/** The default stream of "rivulet check --answer". */
export const CLOCK_STREAM = 'rivulet-check-clock'

/** The arguments of the answering child process. */
const ANSWER_ARGS = ['check', '--answer', '--quiet', '--stream'] as const

const SAMPLES = 20
/** Time for the first answer; a child process has to start first. */
const FIRST_ANSWER_MS = Object.freeze({ child: 20_000, peer: 5000 })
const ANSWER_MS = 2000
const ASK_AGAIN_MS = 200
/** The difference from which the result is a warning. */
const APART_MS = 1000

interface Question {
  readonly ask: number
  readonly asker: string
}

interface Answer {
  readonly answer: number
  readonly asker: string
  readonly dateMs: number
  readonly machine: string
}

/** Answers with the local time until `signal` aborts; calls `ready` once subscribed. Resolves to the number of answers. */
export async function answerClocks(
  hub: Hub,
  stream: string,
  signal: AbortSignal,
  ready: () => void,
): Promise<number> {
  const clock = hub.stream(stream, { limit: false })
  let answered = 0
  const subscription = clock.subscribe(({ data }) => {
    const { ask, asker } = data as Partial<Question>
    if (typeof ask !== 'number' || typeof asker !== 'string') return
    clock.tryPublish({ answer: ask, asker, dateMs: Date.now(), machine: hostname() })
    answered += 1
  })
  await subscription.ready
  ready()
  await until(signal)
  return answered
}

/** Access to the other clock. */
export interface ClockScene {
  readonly hub: Hub
  readonly urls: readonly string[]
  /** Whether another machine answers; otherwise a child process on this one. */
  readonly isPeer: boolean
  readonly signal: AbortSignal
}

/** Estimates the difference of another process's clock. */
export async function clockResult(scene: ClockScene): Promise<CheckResult> {
  const { hub, urls, isPeer } = scene
  const stream = isPeer ? CLOCK_STREAM : `${CLOCK_STREAM}-${crypto.randomUUID()}`
  const child = isPeer ? undefined : startAnswering(stream, hub.name, urls)
  try {
    return await measuredResult(scene, stream)
  } finally {
    child?.disconnect()
  }
}

/** Starts a child that answers. URLs may contain secrets, so they are not among its arguments. */
function startAnswering(stream: string, hub: string, urls: readonly string[]): ChildProcess {
  const child = spawn(process.execPath, [process.argv[1] as string, ...ANSWER_ARGS, stream], {
    env: { ...process.env, RIVULET_URL: urls.join(' '), RIVULET_HUB: hub, RIVULET_CONTEXT: undefined },
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  })
  // Then there is no answer, which the result reports.
  child.on('error', () => {})
  return child
}

interface Sample {
  readonly offsetMs: number
  /** Half of the round trip, during which the other clock was read at an unknown time. */
  readonly errorMs: number
  readonly machine: string
}

async function measuredResult({ hub, isPeer, signal }: ClockScene, stream: string): Promise<CheckResult> {
  const asker = crypto.randomUUID()
  const clock = hub.stream(stream, { limit: false })
  const samples: Sample[] = []
  const asked = new Map<number, number>()
  let arrived = () => {}
  const subscription = clock.subscribe(({ data }) => {
    const { answer, asker: to, dateMs, machine } = data as Partial<Answer>
    const startMs = asked.get(answer as number)
    if (to !== asker || startMs === undefined || typeof dateMs !== 'number') return
    const [errorMs, nowMs] = [(performance.now() - startMs) / 2, Date.now()]
    samples.push({ offsetMs: dateMs - (nowMs - errorMs), errorMs, machine: String(machine) })
    arrived()
  })
  await subscription.ready
  let deadlineMs = performance.now() + FIRST_ANSWER_MS[isPeer ? 'peer' : 'child']
  for (let ask = 0; samples.length < SAMPLES && performance.now() < deadlineMs && !signal.aborted; ask++) {
    const answered = new Promise<void>((resolve) => {
      arrived = resolve
      setTimeout(resolve, ASK_AGAIN_MS)
    })
    const before = samples.length
    asked.set(ask, performance.now())
    clock.tryPublish({ ask, asker })
    await answered
    if (samples.length > before) deadlineMs = performance.now() + ANSWER_MS
  }
  subscription.unsubscribe()
  return resultOf(samples, isPeer)
}

function resultOf(samples: readonly Sample[], isPeer: boolean): CheckResult {
  const [best] = [...samples].sort((one, other) => one.errorMs - other.errorMs)
  if (best === undefined) {
    if (!isPeer) return skipped('clock', 'a process of its own on this machine did not answer')
    return warning('clock', 'no answer', 'Run "rivulet check --answer" with the same hub elsewhere.')
  }
  const { offsetMs, errorMs, machine } = best
  const where = isPeer ? `the clock of ${machine}` : 'the clock of another process, on this machine,'
  const amount = `${Math.abs(offsetMs).toFixed(1)} ms ${offsetMs < 0 ? 'behind' : 'ahead'}`
  const text = `${where} is ${amount}, give or take ${errorMs.toFixed(1)} ms (of ${samples.length} answers)`
  if (Math.abs(offsetMs) - errorMs < APART_MS) return ok('clock', text)
  return warning(
    'clock',
    text,
    'Set the clocks by NTP: dates of recordings and of data differ. Rivulet itself needs no equal clocks.',
  )
}
