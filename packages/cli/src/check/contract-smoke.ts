import { loadTransport } from 'rivulet'
import { testTransport } from 'rivulet/testing'
import { type CheckResult, failed, ok, skipped, wordsOf } from './result.ts'
import { withinHub } from './within-hub.ts'

/** Thrown when a check would stop the broker, or send from another machine. */
class NeedsTheBroker extends Error {}

/** Time limit of one step of a check: machines may be busy, and networks slow. */
const WAIT_MS = 10_000

/** The subject of the contract suite. */
export interface ContractScene {
  readonly urls: readonly string[]
  readonly hub: string
  readonly canWatch: boolean
  readonly signal: AbortSignal
}

/**
 * Runs those checks of the transports' contract that need no control over the broker, on streams of the hub with unique
 * names.
 */
export async function contractResults(scene: ContractScene): Promise<CheckResult[]> {
  const checks = await checksOf(scene)
  const results: CheckResult[] = []
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
    else results.push(failureOf(name, error))
  }
  return [summaryOf(passed, left, results.length), ...results]
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
  // The suite makes transports synchronously, but loading one is async: so a spare one is loaded before each check.
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

/** The transports loaded for a check; an unopened one costs nothing. */
const MOST_TRANSPORTS = 16

function failureOf(name: string, error: unknown): CheckResult {
  const [text = ''] = wordsOf(error).split('\n', 1)
  return failed(
    'contract',
    `it breaks "${name}": ${text}`,
    'Check whether the broker limits or changes what passes; else report it.',
  )
}

function summaryOf(passed: number, left: number, broken: number): CheckResult {
  const out = left === 0 ? '' : `; ${left} skipped, since they need control over the broker or a watch`
  const text = `${passed} of ${passed + broken} checks of the transports' contract hold${out}`
  if (broken > 0) return failed('contract', text, 'See below.')
  return passed === 0 ? skipped('contract', text) : ok('contract', text)
}
