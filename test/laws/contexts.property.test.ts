import { tracingChannel } from 'node:diagnostics_channel'
import fc from 'fast-check'
import type { Hub, Message, Stream } from 'rivulet'
import { createHubIn } from 'rivulet/testing'
import { expect, test } from 'vitest'
import { topicOf } from '../../src/message/topic.ts'
import { HandMadeEnvironment } from '../support/hand-made-environment.ts'
import { OUTSIDE, Requests } from '../support/requests.ts'
import { ScriptedTransport } from '../support/scripted-transport.ts'

interface Data {
  /** The request that gave it, or `OUTSIDE`. */
  readonly from: string
}

/** What happens next, each in a request of its own. */
type Act =
  | { readonly do: 'publish' | 'publishWhenReady' | 'publishLatest' | 'receive' | 'subscribe' }
  | { readonly do: 'pass'; readonly ms: number }

const acts: fc.Arbitrary<Act> = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ do: 'publish' as const }) },
  { weight: 4, arbitrary: fc.constant({ do: 'publishWhenReady' as const }) },
  { weight: 4, arbitrary: fc.constant({ do: 'publishLatest' as const }) },
  { weight: 3, arbitrary: fc.constant({ do: 'receive' as const }) },
  fc.constant({ do: 'subscribe' as const }),
  { weight: 3, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.nat({ max: 300 }) }) },
)

/** A stream on which requests of many users work. What a subscriber takes from the second tape it does inside. */
class Scene {
  readonly requests = new Requests()
  /** Where a message was called, or traced, and where it came from; those that differ. */
  readonly strays: string[] = []
  calls = 0
  readonly #environment = new HandMadeEnvironment()
  readonly #transport = new ScriptedTransport()
  readonly #hub: Hub
  readonly #stream: Stream<Data, Data>
  readonly #inside: Act[]
  #made = 0

  constructor(inside: readonly Act[]) {
    this.#inside = [...inside]
    const { requests } = this
    const options = { transport: this.#transport }
    this.#hub = requests.run('opener', () => createHubIn(this.#environment, options).on('error', () => {}))
    this.#stream = this.#hub.stream<Data, Data>('law', { limit: { ratePerSecond: 20, burst: 3 } })
    requests.run('listener', () => this.#subscribe())
  }

  async run(acts: readonly Act[]): Promise<void> {
    await this.#environment.pass(0)
    for (const act of acts) {
      if (act.do === 'pass') await this.requests.run('clock', () => this.#environment.pass(act.ms))
      else this.#act(act)
    }
    await this.#environment.pass(5_000)
    this.requests.run('closer', () => this.#stream.close())
    const closed = this.#hub.close()
    await this.#environment.pass(10_000)
    await closed
  }

  look(message: Message): void {
    this.calls++
    const { from } = message.data as Data
    const expected = message.isLocal ? from : OUTSIDE
    if (this.requests.current !== expected)
      this.strays.push(`${this.requests.current} in place of ${expected}`)
  }

  #act(act: Act): void {
    const from = `request ${++this.#made}`
    const stream = this.#stream
    const verbs: Record<string, () => void> = {
      publish: () => stream.tryPublish({ from }),
      publishWhenReady: () => void stream.publishWhenReady({ from }).catch(() => {}),
      publishLatest: () => void ignoring(() => stream.publishLatest({ from }, { key: this.#made % 2 })),
      receive: () =>
        this.#transport.host.receive(topicOf('default', 'law'), JSON.stringify({ data: { from } })),
      subscribe: () => this.#subscribe(),
    }
    this.requests.run(from, () => verbs[act.do]?.())
  }

  #subscribe(): void {
    this.#stream.subscribe((message) => {
      this.look(message)
      const act = this.#inside.shift()
      if (act !== undefined) this.#act(act)
      this.look(message)
    })
  }
}

function ignoring(action: () => void): void {
  try {
    action()
  } catch {}
}

test('a message is delivered and traced in the context of its own request', async () => {
  let calls = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(acts, { maxLength: 30 }),
      fc.array(acts, { maxLength: 10 }),
      async (outer, inner) => {
        const scene = new Scene(inner)
        const traced = tracingChannel<unknown, { message: Message }>('rivulet.process')
        const subscribers = { start: ({ message }: { message: Message }) => scene.look(message) }
        traced.subscribe(subscribers as never)
        await scene.run(outer)
        traced.unsubscribe(subscribers as never)
        expect(scene.strays).toEqual([])
        calls += scene.calls
      },
    ),
  )
  expect(calls).toBeGreaterThan(100)
})
