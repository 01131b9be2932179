import { testTransport } from 'rivulet/testing'
import { loadTransport } from 'rivulet/transport'
import { failed, leftOut, ok, type Point, wordsOf } from './point.ts'
import { withinHub } from './within-hub.ts'

/** A check takes the broker away, or sends from another machine. */
class NeedsTheBroker extends Error {}

/** How long one step of a check may take: machines are busy, and networks slow. */
const WAIT_MS = 10_000

/** What the contract suite is run against. */
export interface ContractScene {
  readonly urls: readonly string[]
  readonly hub: string
  readonly canWatch: boolean
  readonly signal: AbortSignal
}

/**
 * Runs those checks of the transports' contract that need no control over the broker, on streams of the hub whose
 * names nobody else has.
 */
export async function contractPoints(scene: ContractScene): Promise<Point[]> {
  const checks = await checksOf(scene)
  const points: Point[] = []
  let [passed, left] = [0, 0]
  for (const { name, run } of checks) {
    scene.signal.throwIfAborted()
    if (!scene.canWatch && /\bwatch/.test(name)) {
      left += 1
      continue
    }
    const error = await run().then(
      () => undefined,
      (reason: unknown) => reason,
    )
    if (error === undefined) passed += 1
    else if (error instanceof NeedsTheBroker) left += 1
    else points.push(failureOf(name, error))
  }
  return [summaryOf(passed, left, points.length), ...points]
}

interface ContractCheck {
  readonly name: string
  readonly run: () => Promise<void>
}

async function checksOf({ urls, hub }: ContractScene): Promise<ContractCheck[]> {
  const checks: ContractCheck[] = []
  const needs = async () => {
    throw new NeedsTheBroker()
  }
  // Transports are made at once where they are asked for, and a package is loaded later: so one is loaded before each.
  const spare: Awaited<ReturnType<typeof loadTransport>>[] = []
  testTransport({
    test: (name, run) => checks.push({ name, run }),
    waitMs: WAIT_MS,
    async create() {
      while (spare.length < MOST_TRANSPORTS) spare.push(await loadTransport(urls))
      return {
        transport() {
          const next = spare.pop()
          if (next === undefined) throw new Error(`A check takes more than ${MOST_TRANSPORTS} transports.`)
          return withinHub(hub, next)
        },
        elsewhere: needs,
        down: needs,
        up: async () => {},
        close: async () => {},
      }
    },
  })
  return checks
}

/** A transport that is not open costs nothing. */
const MOST_TRANSPORTS = 16

function failureOf(name: string, error: unknown): Point {
  const [text = ''] = wordsOf(error).split('\n', 1)
  return failed(
    'contract',
    `it breaks "${name}": ${text}`,
    'Look whether the broker limits or changes what passes; else report it.',
  )
}

function summaryOf(passed: number, left: number, broken: number): Point {
  const out = left === 0 ? '' : `; ${left} left out, since they need control over the broker or a watch`
  const text = `${passed} of ${passed + broken} checks of the transports' contract hold${out}`
  if (broken > 0) return failed('contract', text, 'See below.')
  return passed === 0 ? leftOut('contract', text) : ok('contract', text)
}
