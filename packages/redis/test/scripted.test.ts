import { testDials } from '../../../test/support/adapters/dials.ts'
import { scene } from './scene.ts'
import { scriptedServer } from './scripted-server.ts'

testDials({
  scene,
  scripted: scriptedServer,
  refusal: 'WRONGPASS invalid username-password pair',
  told: (reasons, advice) =>
    `No Redis server took the connection (${reasons}).${advice === 'without' ? '' : ' Check the credentials, the certificates and the version (6 or later).'}`,
  away: (address) => `connect ECONNREFUSED ${address}`,
})
