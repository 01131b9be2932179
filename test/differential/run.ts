import { setImmediate as turn } from 'node:timers/promises'
import type { Capabilities, Transport } from 'rivulet'
import { Wire } from './counted-transport.ts'
import type { Plan, Step } from './plan.ts'
import { Site } from './site.ts'

/** What a scenario showed at each of its steps, hub by hub, and what the transport claimed. */
export interface Run {
  readonly shown: readonly object[]
  /** Without prefixes: what sids begin with is not shown. */
  readonly claims: Capabilities
}

export interface RunOptions {
  /** What to claim in place of what the transport claims itself. */
  readonly claims?: Capabilities
  /** How long to wait at the most. A frame that does not come by then is lost; anything else ends the run. */
  readonly patienceMs?: number
}

/** How far the clock moves for one of those who wait in line: at 100 messages a second a bit more than one goes out. */
const MOVE_MS = 11

/**
 * Runs a scenario over a transport, with a barrier after each step: every barrier is answered, every frame has come, and
 * nothing more was sent meanwhile. The hubs' clock stands still but for those who wait in line, so no time matters.
 */
export async function run(
  plan: Plan,
  connect: () => Transport | Promise<Transport>,
  options: RunOptions = {},
): Promise<Run> {
  const { claims, patienceMs = 20_000 } = options
  const wire = new Wire()
  let nowMs = 1_000
  const transports: Transport[] = []
  const counted = async () => {
    const transport = wire.count(await connect(), claims)
    transports.push(transport)
    return transport
  }
  const opening = plan.hubs.map((_, place) => new Site(plan, place, counted, () => nowMs).open())
  const sites = await Promise.all(opening)
  const shown: object[] = []
  const settled = async () => {
    for (let sends = -1; sends !== wire.sends; ) {
      sends = wire.sends
      const patience = { signal: AbortSignal.timeout(patienceMs) }
      await Promise.all(sites.map(({ hub }) => hub.ready(patience).then(() => hub.flush(patience))))
      await wire.arrived(patienceMs)
      await turn() // promises of subscribers that reject
    }
    return wire.due.every((due) => due === 0)
  }
  const note = () =>
    shown.push({ hubs: sites.map((site) => site.look()), lost: sum(wire.due), surplus: wire.surplus })
  try {
    let goesOn = await settled()
    const { prefixes: _, ...claimed } = (transports[0] as Transport).capabilities
    for (const step of plan.steps) {
      if (!goesOn) break
      await act(step, sites)
      goesOn = await settled()
      for (const site of sites) {
        while (goesOn && site.waiting(step.stream) > 0) {
          nowMs += MOVE_MS
          await site.advanced(step.stream, AbortSignal.timeout(patienceMs))
          goesOn = await settled()
        }
        site.read()
      }
      await turn()
      note()
    }
    await Promise.all(sites.map(({ hub }) => hub.close()))
    note()
    return { shown, claims: claimed }
  } catch (cause) {
    const stood = sites.map(({ hub }) => `${hub.status} with ${hub.ledger().inFlight} in flight`)
    throw new Error(
      `Seed ${plan.seed} ends at step ${shown.length + 1}: ${cause}; hubs: ${stood.join(', ')}`,
      { cause },
    )
  } finally {
    await Promise.all(sites.map(({ hub }) => hub.close()))
  }
}

async function act(step: Step, sites: readonly Site[]): Promise<void> {
  if (step.act !== 'publishTogether') return (sites[step.hub] as Site).do(step)
  for (const [place, publishes] of step.publishes.entries()) sites[place]?.publish(step.stream, publishes)
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0)
}
