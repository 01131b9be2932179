import { createRequire } from 'node:module'
import { memoryBus } from '@rivulet/memory'
import { createHub, Hub, openHub, RivuletError } from 'rivulet'
import { createHubIn } from 'rivulet/testing'

const required = createRequire(import.meta.url)('rivulet')

const environment = {
  nowMs: () => performance.now(),
  dateMs: () => Date.now(),
  random: () => Math.random(),
  setTimer: (action, waitMs) => clearTimeout.bind(undefined, setTimeout(action, waitMs)),
}

const bus = memoryBus()
const hubs = [createHub({ transport: bus.transport() }), createHub({ transport: bus.transport() })]
const [near, far] = hubs
const arrived = new Promise((resolve) => far.stream('positions').subscribe(resolve))
await far.stream('positions').subscribe(() => {}).ready
await near.ready()
near.stream('positions').publish({ truck: 7 })
const { data, isLocal } = await arrived
const ledgers = await Promise.all(hubs.map((hub) => hub.close()))

// The two builds of the core meet on a bus of the process, and know each other's errors.
const ours = await openHub('memory:meeting')
const theirs = await required.openHub('memory:meeting')
const met = new Promise((resolve) => ours.stream('positions').subscribe(resolve))
await ours.stream('positions').subscribe(() => {}).ready
theirs.stream('positions').publish({ truck: 8 })
const metData = (await met).data
await Promise.all([ours.close(), theirs.close()])
const refusal = required.createHub().stream('positions').tryPublish([])

console.log(
  JSON.stringify({
    data,
    isLocal,
    accepted: ledgers[0].accepted,
    delivered: ledgers[1].delivered,
    metData,
    isOtherCopy: required.RivuletError !== RivuletError,
    isHubOfTesting: createHubIn(environment) instanceof Hub,
    code: RivuletError.is(refusal.error) && refusal.error.code,
  }),
)
