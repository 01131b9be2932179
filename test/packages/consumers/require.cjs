const { memoryBus } = require('@rivulet/memory')
const { createHub, Hub } = require('rivulet')
const { createHubIn } = require('rivulet/testing')

const environment = {
  nowMs: () => performance.now(),
  dateMs: () => Date.now(),
  random: () => Math.random(),
  setTimer: (action, waitMs) => clearTimeout.bind(undefined, setTimeout(action, waitMs)),
}

async function main() {
  const bus = memoryBus()
  const near = createHub({ transport: bus.transport() })
  const far = createHub({ transport: bus.transport() })
  const arrived = new Promise((resolve) => far.stream('positions').subscribe(resolve))
  await far.stream('positions').subscribe(() => {}).ready
  await near.ready()
  near.stream('positions').publish({ truck: 7 })
  const { data, isLocal } = await arrived
  await Promise.all([near.close(), far.close()])
  console.log(JSON.stringify({ data, isLocal, isHubOfTesting: createHubIn(environment) instanceof Hub }))
}

main()
