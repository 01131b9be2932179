import { expect, onTestFinished, test } from 'vitest'
import { bundleProgram } from '../support/bundle-program.ts'
import { ending, SERVER_KINDS } from '../support/live.ts'
import { type Program, startScript } from '../support/program.ts'

const PROGRAM = bundleProgram('test/brokers/contexts-process.ts')
const TIMEOUT_MS = 120_000

/** What calls back, and the requests in which it does so. */
type Seen = Readonly<Record<string, readonly string[]>>

/** What the network and timers call. Not every transport watches a hub. */
const FROM_OUTSIDE = [
  'subscriber',
  'key',
  'messagePublished',
  'tap',
  'dropped',
  'rivulet:dropped',
  'removed',
  'expired',
  'error',
  'status',
  'rivulet:status',
  'lost',
]
const WAITED = ['line 1', 'line 2', 'line 3', 'new']

test.for(SERVER_KINDS)(
  'no request gives its context to others, or is kept, over $kind',
  { timeout: TIMEOUT_MS },
  async ({ start, query }) => {
    const broker = await ending(start({}))
    const program = startProgram(`${broker.url}${query}`)
    await expectApart(program, 'up ', 'stores ')
    await broker.kill()
    program.tell('go')
    const down = await expectApart(program, 'down ', 'stores at the end ')
    expect(Object.keys(down)).toEqual(expect.arrayContaining(['status', 'error', 'lost']))
    await expectEnd(program)
  },
)

test('no request gives its context to others, or is kept, over threads', {
  timeout: TIMEOUT_MS,
}, async () => {
  const program = startProgram('threads:contexts')
  await expectApart(program, 'up ', 'stores ')
  program.tell('go')
  await expectEnd(program)
})

function startProgram(url: string): Program {
  const program = startScript(PROGRAM, [url], ['--expose-gc'])
  onTestFinished(() => program.kill())
  return program
}

async function expectEnd(program: Program): Promise<void> {
  await expectApart(program, 'closed ')
  expect(await program.ended).toEqual({ code: 0, signal: null, stderr: '' })
}

async function expectApart(program: Program, line: string, stores?: string): Promise<Seen> {
  const seen = await program.json<Seen>(line)
  const expected: Record<string, readonly string[]> = {
    ...Object.fromEntries(FROM_OUTSIDE.filter((what) => what in seen).map((what) => [what, ['outside']])),
    ...Object.fromEntries(WAITED.filter((name) => name !== 'new').map((name) => [`after ${name}`, [name]])),
    local: ['local'],
    line: WAITED,
    // What the peer publishes is of no request.
    publish: [...WAITED, 'local', 'at once', 'outside', ...('lost' in seen ? ['lose'] : [])],
    process: [...WAITED, 'local', 'outside'],
  }
  expect(sorted(seen)).toEqual(sorted(expected))
  if (stores !== undefined) expect(await program.json<string[]>(stores)).toEqual([])
  return seen
}

function sorted(seen: Seen): Seen {
  return Object.fromEntries(Object.entries(seen).map(([what, names]) => [what, [...names].sort()]))
}
