import { expect } from 'vitest'
import type { BrokerKind } from '../support/live.ts'
import { ATTACKS, type Attack, type Overheard } from './support/attacks.ts'
import { type BarePeer, connectBarePeer } from './support/bare-peer.ts'
import { eventually } from './support/eventually.ts'
import type { MemberProcess } from './support/member-process.ts'
import {
  flows,
  getsThrough,
  hasHeard,
  MAX_FRAME_BYTES,
  type Scene,
  testOnEveryBroker,
} from './support/scene.ts'

// Hostile pages are tested with the gateway, which checks them.
/** Has no limit, so that everything is decoded; the other one has the default. */
const OPEN = 'open'
const LIMITED = 'limited'
const QUIET = 'quiet'
// mosquitto holds so many messages for a client at the most (`max_queued_messages`), and drops more.
const AT_ONCE = 200
const FLOOD = 20_000
const FLOOD_BYTES = 4_096
const FLOOD_AT_ONCE = 500
const BURST = 30
const PER_SECOND = 30
// Generous: what is meant is that it does not hang.
const LONGEST_TURN_MS = 2_000

interface Siege {
  readonly victim: MemberProcess
  readonly honest: MemberProcess
  readonly hostile: BarePeer
  readonly overheard: Overheard
}

// RELIABILITY rows 24, 56 to 59, 65, 67 and 73.
testOnEveryBroker('whatever hostile peers write is counted for what it is', async (scene) => {
  const siege = await besieged(scene)
  await siege.victim.call('watchTurns')
  for (const attack of ATTACKS) await withstands(siege, attack)
  expect(await siege.victim.call('longestTurnMs')).toBeLessThan(LONGEST_TURN_MS)
  expect(siege.victim.rises).toBe(1)
  await siege.hostile.close()
})

// RELIABILITY row 72.
testOnEveryBroker('a flood of one stream delays nothing and silences no stream', async (scene) => {
  const { victim, honest, hostile } = await besieged(scene)
  await victim.call('watchTurns')
  for (const frame of [validFrame(), '['.repeat(FLOOD_BYTES)]) {
    const beganMs = performance.now()
    const { delivered } = await victim.call('ledgerOf', LIMITED)
    const flood = sendFlood(hostile, frame)
    await flows(honest, victim)
    await flood
    await getsThrough(honest, victim, LIMITED)
    const after = await victim.call('ledgerOf', LIMITED)
    const seconds = (performance.now() - beganMs) / 1000
    expect(after.delivered - delivered).toBeLessThanOrEqual(BURST + PER_SECOND + 1.001 * PER_SECOND * seconds)
    expect(after.dropped.rateLimited).toBeGreaterThan(0)
  }
  expect(await victim.call('longestTurnMs')).toBeLessThan(LONGEST_TURN_MS)
  expect(victim.rises).toBe(1)
  await hostile.close()
})

async function besieged(scene: Scene<BrokerKind['kind']>): Promise<Siege> {
  const options = { streams: { [OPEN]: { limit: false }, [QUIET]: { limit: false } } } as const
  const victim = await scene.member('victim', options)
  const honest = await scene.member('honest', options)
  const hostile = await connectBarePeer(scene.kind, scene.broker.url)
  await hostile.listen(OPEN)
  await victim.call('listen', [OPEN, LIMITED, QUIET])
  await hasHeard(victim, honest, await honest.call('publish', [OPEN], 3))
  await victim.call('publish', [OPEN])
  const frames = await eventually(
    'it has overheard both',
    () => hostile.frames,
    ({ length }) => length === 2,
  )
  await honest.call('publishSteadily', [QUIET], 50)
  const [theirs, ours] = frames.map((bytes) => Buffer.from(bytes).toString())
  const overheard = {
    ...read(theirs),
    ownOrigin: read(ours).origin,
    maxFrameBytes: MAX_FRAME_BYTES[scene.kind],
  }
  return { victim, honest, hostile, overheard }
}

/** Takes the last message of a frame. */
function read(frame = ''): { frame: string; origin: string } {
  const [last] = [JSON.parse(frame)].flat().slice(-1)
  return { frame: JSON.stringify(last), origin: last.sid.slice(2, 18) }
}

/** Sends every frame of an attack, and expects each in its bucket, then the next good message, and other streams. */
async function withstands({ victim, honest, hostile, overheard }: Siege, attack: Attack): Promise<void> {
  const frames = attack.frames(overheard)
  const before = await victim.call('ledgerOf', OPEN)
  for (let sent = 0; sent < frames.length; sent += AT_ONCE) {
    const some = frames.slice(sent, sent + AT_ONCE)
    for (const frame of some) hostile.send(OPEN, frame)
    const received = async () => (await victim.call('ledgerOf', OPEN)).received - before.received
    await eventually(`${attack.name} came`, received, (count) => count >= sent + some.length)
  }
  const after = await victim.call('ledgerOf', OPEN)
  const dropped = { ...before.dropped }
  const expected = { ...before, received: before.received + frames.length, dropped }
  if (attack.bucket === 'delivered') Object.assign(expected, { delivered: before.delivered + frames.length })
  else dropped[attack.bucket] += frames.length
  expect(after, attack.name).toEqual(expected)
  await hasHeard(victim, honest, await honest.call('publish', [OPEN]))
  await flows(honest, victim)
}

async function sendFlood(hostile: BarePeer, frame: string): Promise<void> {
  for (let sent = 0; sent < FLOOD; sent++) {
    hostile.send(LIMITED, frame)
    if (sent % FLOOD_AT_ONCE === 0) await hostile.flush()
  }
  await hostile.flush()
}

function validFrame(): string {
  const frame = (padding: number) => `{"data":{"x":"${'x'.repeat(padding)}"}}`
  return frame(FLOOD_BYTES - frame(0).length)
}
