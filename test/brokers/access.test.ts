import type { Ledger } from 'rivulet'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Broker } from '../support/brokers.ts'
import { bundleProgram } from '../support/bundle-program.ts'
import { Authority } from '../support/certificates.ts'
import { type FaultProxy, startProxy } from '../support/fault-proxy.ts'
import { expectLaws } from '../support/ledger-laws.ts'
import { BROKER_KINDS, type BrokerKind } from '../support/live.ts'
import { type Program, startScript } from '../support/program.ts'

// The tokens of pages are the gateway's, and tested there.
// Rows 6, 10, 12 and 30 of the catalogue of faults, seen from outside the process.
// Everything here ends by itself in bounded time, or the test does.
const TIMEOUT_MS = 90_000

interface Rejection {
  readonly code: string
  readonly message: string
}

interface Refused {
  readonly opening: Rejection
  readonly waiting: Rejection
  readonly later: Rejection
  readonly status: string
  readonly errors: readonly string[]
  readonly before: readonly string[]
  readonly after: readonly string[]
}

/** How brokers say that credentials are wrong, or missing. */
const REFUSAL = /not authori[sz]ed|authorization violation|invalid username-password pair|NOAUTH/i

const PROGRAM = bundleProgram('test/brokers/access-process.ts')
const run = (act: string, url: string) => startScript(PROGRAM, [act, url])

describe('a refusal for good', () => {
  const authority = new Authority()
  const certificate = authority.issue()
  const brokers: Broker[] = []
  afterAll(async () => {
    await Promise.all(brokers.map((broker) => broker.close()))
    authority.close()
  })

  async function started(starting: Promise<Broker>): Promise<Broker> {
    const broker = await starting
    brokers.push(broker)
    return broker
  }

  test.concurrent.for(BROKER_KINDS)(
    'of credentials rejects with the reason over $kind',
    {
      timeout: TIMEOUT_MS,
    },
    async ({ start, query }) => {
      const { url } = await started(start({ users: { fleet: 'right' } }))
      await expectRefusal(url.replace('//', '//fleet:wrong@') + query, REFUSAL)
      await expectRefusal(url + query, REFUSAL)
    },
  )

  test.concurrent.for(BROKER_KINDS)(
    'of a certificate rejects with the reason over $kind',
    {
      timeout: TIMEOUT_MS,
    },
    async ({ start, query }) => {
      const { url } = await started(start({ tls: certificate }))
      await expectRefusal(url + query, /unable to verify|self-signed|unable to get (local )?issuer/i)
    },
  )
})

async function expectRefusal(url: string, reason: RegExp): Promise<void> {
  const program = run('refused', url)
  const { opening, waiting, later, status, errors, before, after } = await program.json<Refused>('refused ')
  for (const rejection of [opening, waiting, later]) {
    expect(rejection).toMatchObject({ code: 'TRANSPORT_FAILED', message: expect.stringMatching(reason) })
    expect(rejection.message).not.toContain('wrong')
  }
  expect(status).toBe('down')
  expect(errors).toEqual(['TRANSPORT_FAILED'])
  expect(after).toEqual(before)
  expect(await program.ended).toEqual({ code: 0, signal: null, stderr: '' })
}

// Row 76.
test.concurrent.for(BROKER_KINDS)(
  'without an error listener a process survives an outage, logged once over $kind',
  { timeout: TIMEOUT_MS },
  async ({ start, query }, { onTestFinished }) => {
    const broker = await start()
    onTestFinished(() => broker.close())
    const program = run('heedless', broker.url + query)
    onTestFinished(() => program.kill())
    await program.line('rise 1')
    for (const rise of [1, 2]) {
      await broker.kill()
      await program.line(`failed 2 since rise ${rise}`)
      await broker.start()
      await program.line(`rise ${rise + 1}`)
    }
    program.tell('close')
    const { ledger } = await program.json<{ ledger: Ledger }>('result ')
    expectLaws(ledger)
    const { code, signal, stderr } = await program.ended
    expect({ code, signal }).toEqual({ code: 0, signal: null })
    expect(
      stderr.match(/^rivulet: no listener for the error event of the stream or the hub:/gm),
    ).toHaveLength(1)
    expect(stderr).not.toMatch(/warning/i)
  },
)

interface Place {
  readonly broker: Broker
  readonly proxy: FaultProxy
  readonly program: Program
}

/** What goes wrong, and when: before the process connects, or once it is up. */
const situations: Record<
  string,
  { before?(place: Omit<Place, 'program'>): unknown; once?(place: Place): unknown }
> = {
  'refuses connections': { before: ({ proxy }) => refuse(proxy) },
  'accepts and says nothing': { before: ({ proxy }) => stall(proxy) },
  'is stopped before': { before: ({ broker }) => broker.stop() },
  'is well': { once: () => {} },
  'is stopped meanwhile': { once: ({ broker }) => broker.stop() },
  'is killed meanwhile': { once: ({ broker }) => broker.kill() },
  'is behind a frozen link': { once: ({ proxy }) => freeze(proxy) },
  'is behind a link that swallows everything': { once: ({ proxy }) => blackhole(proxy) },
}

describe.each(BROKER_KINDS)('a process that closes its hub ends by itself over $kind', (kind) => {
  const places = new Map<string, Place>()
  beforeAll(async () => {
    await Promise.all(
      Object.keys(situations).map(async (name) => places.set(name, await placeOf(kind, name))),
    )
  })
  afterAll(async () => {
    for (const { program, proxy, broker } of places.values()) {
      program.kill()
      await proxy.close()
      await broker.close()
    }
  })

  test.concurrent.for(Object.keys(situations))(
    'when the broker %s',
    { timeout: TIMEOUT_MS },
    async (name) => {
      const { program } = places.get(name) as Place
      program.tell('close')
      const { ledger } = await program.json<{ ledger: Ledger }>('result ')
      expectLaws(ledger)
      expect(ledger.inFlight).toBe(0)
      expect(await program.ended).toEqual({ code: 0, signal: null, stderr: '' })
    },
  )
})

async function placeOf({ start, query }: BrokerKind, name: string): Promise<Place> {
  const { before, once } = situations[name] ?? {}
  const broker = await start()
  const proxy = await startProxy(broker)
  await before?.({ broker, proxy })
  const program = run('close', proxy.url.replace(/\/$/, '') + query)
  await program.line(once ? 'up' : 'started')
  await once?.({ broker, proxy, program })
  return { broker, proxy, program }
}

function refuse(proxy: FaultProxy): void {
  proxy.mode = 'refuse'
}

function stall(proxy: FaultProxy): void {
  proxy.mode = 'stall'
}

function freeze(proxy: FaultProxy): void {
  proxy.mode = 'freeze'
}

function blackhole(proxy: FaultProxy): void {
  proxy.mode = 'blackhole'
}
