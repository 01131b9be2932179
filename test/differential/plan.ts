import type { StreamOptions } from 'rivulet'
import { Chance } from '../simulation/chance.ts'

/**
 * What the subscribers of a stream may do. It decides what else happens on that stream, so that the outcome is the same
 * whenever frames arrive:
 * - `free`: nothing. There is no limit, so several hubs may publish at a time.
 * - `answering`: publish an answer. There is no limit.
 * - `limited`: nothing. What a limit refuses depends on the order of all messages, so one hub publishes at a time.
 * - `leaving`: unsubscribe or close. Everything that is published at a time is one frame.
 * - `removing`: one hub's remove the stream. The same.
 */
export type Temper = 'free' | 'answering' | 'limited' | 'leaving' | 'removing'
export type Behaviour = 'reads' | 'throws' | 'rejects' | 'answers' | 'leaves' | 'closes' | 'removes'
export type Manner = 'listens' | 'observes' | 'iterates'
export type Verb = 'publish' | 'tryPublish' | 'subject' | 'publishWhenReady' | 'publishLatest'
export type Flaw = 'none' | 'padded' | 'huge' | 'bad' | 'bigint' | 'list' | 'cycle'

/** One call of a verb. `n` names the message in the whole scenario. */
export interface Publish {
  readonly n: number
  readonly verb: Verb
  readonly flaw: Flaw
  readonly key: number
  readonly hasSignal: boolean
}

/** What happens between two barriers: by hub `hub`, on stream `stream`, both by their places. */
export type Step = { readonly hub: number; readonly stream: number } & (
  | { readonly act: 'subscribe'; readonly manner: Manner; readonly behaviour: Behaviour }
  | { readonly act: 'unsubscribe'; readonly which: number }
  | {
      readonly act: 'publish'
      readonly publishes: readonly Publish[]
      readonly ending: 'nothing' | 'abort' | 'close' | 'remove'
    }
  | { readonly act: 'publishTogether'; readonly publishes: readonly (readonly Publish[])[] }
  | {
      readonly act: 'restart'
      readonly lastWords: readonly Publish[]
      readonly firstWords: readonly Publish[]
    }
  | { readonly act: 'close' | 'remove' | 'expire' | 'tap' | 'endTap' | 'jumpClock' }
)

export interface StreamPlan {
  readonly temper: Temper
  /** For each hub. */
  readonly options: readonly (StreamOptions & { readonly hasSchema: boolean })[]
}

/** A whole scenario: a seed decides everything. */
export interface Plan {
  readonly seed: number
  readonly hubs: readonly { readonly acceptRemoval: boolean; readonly maxInFlightBytes: number }[]
  readonly streams: readonly StreamPlan[]
  readonly steps: readonly Step[]
}

/** Small enough that a burst of padded messages exceeds it, and answers never do. */
const FEW_BYTES = 2_500
const TEMPERS: readonly Temper[] = ['free', 'answering', 'limited', 'leaving', 'removing']
const BEHAVIOURS: Readonly<Record<Temper, Partial<Record<Behaviour, number>>>> = {
  free: {},
  answering: { answers: 4 },
  limited: {},
  leaving: { leaves: 2, closes: 2 },
  removing: { removes: 4 },
}
const ACTS: Readonly<Record<Step['act'], number>> = {
  subscribe: 14,
  unsubscribe: 5,
  publish: 30,
  publishTogether: 8,
  restart: 2,
  close: 3,
  remove: 3,
  expire: 0.4,
  tap: 3,
  endTap: 1,
  jumpClock: 2,
}
const FLAWS: Readonly<Record<Flaw, number>> = {
  none: 20,
  padded: 4,
  huge: 1,
  bad: 2,
  bigint: 1,
  list: 1,
  cycle: 1,
}

/** Draws a scenario. */
export function drawPlan(seed: number): Plan {
  const chance = new Chance(seed)
  const hubs = Array.from({ length: chance.between(2, 4) }, () => ({
    acceptRemoval: chance.isHit(0.8),
    maxInFlightBytes: chance.isHit(0.25) ? FEW_BYTES : 8 * 1024 * 1024,
  }))
  const streams = Array.from({ length: chance.between(2, 4) }, () => drawStream(chance, hubs.length))
  let n = 0
  const next = () => ++n
  // Everybody hears every stream at first, or most messages would reach nobody.
  const first = streams.flatMap((of, stream) =>
    hubs.map((_, hub) => drawSubscribe(chance, of, { hub, stream })),
  )
  const steps = Array.from({ length: chance.between(10, 25) }, () =>
    drawStep(chance, streams, hubs.length, next),
  )
  return { seed, hubs, streams, steps: [...first.filter(() => chance.isHit(0.7)), ...steps] }
}

function drawStream(chance: Chance, hubs: number): StreamPlan {
  const temper = chance.pick(TEMPERS)
  const isOneFrame = temper === 'leaving' || temper === 'removing'
  // How many frames answers make must not depend on when they are asked for.
  const batch = temper === 'answering' ? chance.isHit(0.7) : isOneFrame || undefined
  const limits = [false, { ratePerSecond: 100, burst: 5 }, { ratePerSecond: 0, burst: 8 }] as const
  const options = Array.from({ length: hubs }, () => ({
    limit: temper === 'limited' ? chance.pick(limits) : false,
    maxWaiting: temper === 'limited' ? chance.pick([0, 2, 1000]) : chance.pick([2, 1000]),
    maxBytes: chance.pick([100, 4096, 4096]),
    batch: batch ?? chance.isHit(0.7),
    maxAgeMs: chance.pick([5000, 5000, false] as const),
    hasSchema: chance.isHit(0.3),
  }))
  return { temper, options }
}

function drawStep(chance: Chance, streams: readonly StreamPlan[], hubs: number, next: () => number): Step {
  const where = { hub: chance.below(hubs), stream: chance.below(streams.length) }
  const of = streams[where.stream] as StreamPlan
  const act = chance.pickWeighted(ACTS)
  switch (act) {
    case 'subscribe':
      return drawSubscribe(chance, of, where)
    case 'unsubscribe':
      return { ...where, act, which: chance.below(6) }
    case 'publish': {
      const ending = chance.pickWeighted({ nothing: 10, abort: 4, close: 1, remove: 1 })
      return { ...where, act, publishes: drawBurst(chance, of, next), ending }
    }
    case 'publishTogether':
      if (of.temper !== 'free')
        return { ...where, act: 'publish', publishes: drawBurst(chance, of, next), ending: 'nothing' }
      return { ...where, act, publishes: Array.from({ length: hubs }, () => drawBurst(chance, of, next)) }
    case 'restart':
      // What comes back to a hub that closes would come in time or not.
      return {
        ...where,
        act,
        lastWords: isQuiet(of) ? drawBurst(chance, of, next) : [],
        firstWords: drawBurst(chance, of, next),
      }
    default:
      return { ...where, act }
  }
}

function drawSubscribe(chance: Chance, { temper }: StreamPlan, where: { hub: number; stream: number }): Step {
  // Removals of two hubs would cross; the first one's do it.
  const special = temper === 'removing' && where.hub > 0 ? {} : BEHAVIOURS[temper]
  const behaviour = chance.pickWeighted<Behaviour>({
    ...NOTHING,
    reads: 6,
    throws: 1,
    rejects: 1,
    ...special,
  })
  // What a full buffer drops depends on the order between publishers.
  const iterates = temper === 'free' || temper === 'answering' ? 0 : 1
  const manner: Manner =
    behaviour === 'reads' ? chance.pickWeighted({ listens: 4, observes: 1, iterates }) : 'listens'
  return { ...where, act: 'subscribe', manner, behaviour }
}

const NOTHING: Record<Behaviour, number> = {
  reads: 0,
  throws: 0,
  rejects: 0,
  answers: 0,
  leaves: 0,
  closes: 0,
  removes: 0,
}

function drawBurst(chance: Chance, of: StreamPlan, next: () => number): Publish[] {
  const isLarge = isQuiet(of)
  return Array.from({ length: chance.between(1, isLarge ? 12 : 5) }, () => {
    const flaw = chance.pickWeighted(FLAWS)
    return {
      n: next(),
      verb: chance.pickWeighted({
        publish: 3,
        tryPublish: 3,
        subject: 1,
        publishWhenReady: 2,
        publishLatest: 2,
      }),
      flaw: flaw === 'padded' && !isLarge ? 'none' : flaw,
      key: chance.below(2),
      hasSignal: chance.isHit(0.3),
    }
  })
}

/** Whether subscribers publish nothing and leave nothing. */
function isQuiet({ temper }: StreamPlan): boolean {
  return temper === 'free' || temper === 'limited'
}
