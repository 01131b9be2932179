import type { Transport } from 'rivulet'
import type { Chance } from './chance.ts'
import type { Intruder } from './intruder.ts'
import type { Life } from './life.ts'
import { type LinkFaults, noFaults } from './link-faults.ts'
import type { Network } from './network.ts'
import type { Site } from './site.ts'
import { NETWORK } from './world.ts'

/** Everything that can go wrong; each kind is switched off in half of all simulations. */
export const FAULTS = [
  ...([
    'loss',
    'duplication',
    'detours',
    'partition',
    'oneWayPartition',
    'frozenLink',
    'frozenBroker',
  ] as const),
  ...([
    'cut',
    'brokerDown',
    'stalledOpen',
    'refusedOpen',
    'fatalRefusal',
    'stalledJoin',
    'refusedJoin',
  ] as const),
  ...(['revokedJoin', 'deadBarriers', 'clockStep', 'clockRate', 'death', 'busyLoop'] as const),
  ...(['intruders', 'forgery'] as const),
]
/** What other seeds have beside those: they came later, and leave what a seed decided before as it was. */
export const LATER_FAULTS = ['sleep', 'crowd'] as const
/** One of them. */
export type FaultKind = (typeof FAULTS)[number] | (typeof LATER_FAULTS)[number]

/** What a fault is done to. */
export interface Scene {
  readonly network: Network
  readonly sites: readonly Site[]
  readonly site: Site
  readonly chance: Chance
  readonly intruder: Intruder
}

const LONG_CLOCK_STEP_MS = 3_600_000

/** Begins a fault; it ends by itself. */
export function inflict(kind: FaultKind, scene: Scene): void {
  scene.network.world.note(scene.site.number, `suffers ${kind}`)
  INFLICT[kind](scene)
}

/** Ends every fault, and lets dead processes come again. */
export function healAll(network: Network, sites: readonly Site[]): void {
  network.world.note(NETWORK, 'everything is healed')
  network.world.isHealed = true
  network.bus.up()
  network.bus.thaw()
  network.bus.heal()
  network.blocked.clear()
  for (const { link, machine } of sites.map(({ life }) => life)) {
    link.setFrozen(false)
    link.faults = noFaults()
    if (machine.rate !== machine.usualRate) machine.setRate(machine.usualRate)
  }
  for (const site of sites) site.start()
}

const INFLICT: Readonly<Record<FaultKind, (scene: Scene) => void>> = {
  loss: (scene) => onLink(scene, { loss: scene.chance.pick([0.05, 0.3, 1]) }, 30_000),
  duplication: (scene) => onLink(scene, { duplicate: scene.chance.pick([0.1, 1]) }, 60_000),
  detours: (scene) => onLink(scene, { straggle: scene.chance.pick([0.05, 0.3, 0.9]) }, 60_000),
  partition,
  oneWayPartition,
  frozenLink: (scene) => {
    const { link } = scene.site.life
    link.setFrozen(true)
    later(scene, durationMs(scene), () => link.setFrozen(false))
  },
  frozenBroker: (scene) => {
    scene.network.bus.freeze()
    later(scene, durationMs(scene), () => scene.network.bus.thaw())
  },
  cut: ({ site, chance }) => site.life.link.cut(new Error('the link is cut'), chance.pick([0, 0, 1, 3_000])),
  brokerDown: (scene) => {
    scene.network.bus.down()
    later(scene, durationMs(scene), () => scene.network.bus.up())
  },
  stalledOpen: (scene) => refuseOpening(scene, 'stalls'),
  refusedOpen: (scene) => refuseOpening(scene, 'isRefused'),
  fatalRefusal: (scene) => refuseOpening(scene, 'isRefusedForGood'),
  stalledJoin: (scene) => onLink(scene, { joining: 'stalls' }, 20_000),
  refusedJoin: (scene) => onLink(scene, { joining: 'isRefused' }, 20_000),
  revokedJoin: ({ site, chance }) => {
    const { link } = site.life
    const topic = link.joined.length > 0 ? chance.pick(link.joined) : undefined
    link.complain(topic, new Error('not allowed'))
    if (topic !== undefined) link.revoke(topic)
  },
  deadBarriers: (scene) => onLink(scene, { hasDeadBarriers: true }, 10_000),
  clockStep: ({ site, chance }) => {
    const ms = chance.pick([chance.between(1, 10_000), chance.between(1, LONG_CLOCK_STEP_MS)])
    site.life.machine.step(chance.isHit(0.5) ? ms : -ms)
  },
  clockRate: ({ site, chance }) =>
    site.life.machine.setRate(chance.pick([0.9, 0.98, 0.999, 1.001, 1.02, 1.1])),
  death: (scene) => {
    const { life } = scene.site
    if (life.machine.isDead) return
    life.die()
    later(scene, scene.chance.between(1, 30_000), () => scene.site.start())
  },
  busyLoop: ({ site, chance }) => {
    const ms = chance.pick([50, 1_000, 4_000, 20_000])
    site.act(({ machine }: Life) => machine.block(ms))
  },
  sleep: ({ site, chance }) => {
    const ms = chance.pick([chance.between(1_100, 20_000), chance.between(1_100, 600_000)])
    site.act(({ machine }: Life) => machine.sleep(ms))
  },
  crowd: ({ intruder, chance }) => intruder.crowd(chance),
  intruders: ({ intruder, chance }) => intruder.intrude(chance),
  forgery: ({ intruder, chance }) => intruder.forge(chance),
}

function onLink({ network, site, chance }: Scene, faults: Partial<LinkFaults>, longestMs: number): void {
  const { link } = site.life
  Object.assign(link.faults, faults)
  const names = Object.keys(faults) as (keyof LinkFaults)[]
  const { time } = network.world
  const none = noFaults()
  time.at(time.nowMs + chance.between(1, longestMs), () => {
    for (const name of names) link.faults[name] = none[name] as never
  })
}

function refuseOpening(scene: Scene, opening: LinkFaults['opening']): void {
  onLink(scene, { opening }, 40_000)
  scene.site.life.link.cut(new Error('the broker wants no more of it'))
}

function partition(scene: Scene): void {
  const { network, sites, chance } = scene
  const sides: [Transport[], Transport[]] = [[], []]
  for (const { life } of sites) sides[chance.below(2)]?.push(life.link.bus)
  const [a, b] = sides
  if (a.length === 0 || b.length === 0) return
  network.bus.partition(a, b)
  later(scene, durationMs(scene), () => network.bus.heal())
}

function oneWayPartition(scene: Scene): void {
  const { network, sites, site } = scene
  const from = scene.chance.pick(sites)
  if (from === site) return
  const pair = `${from.number}>${site.number}`
  network.blocked.add(pair)
  later(scene, durationMs(scene), () => network.blocked.delete(pair))
}

/** Mostly seconds, now and then minutes. */
function durationMs({ chance }: Scene): number {
  return chance.between(50, chance.pick([1_000, 6_000, 6_000, 20_000, 120_000]))
}

function later({ network }: Scene, waitMs: number, action: () => void): void {
  const { time } = network.world
  time.at(time.nowMs + waitMs, action)
}
