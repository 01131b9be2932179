import { expect, test } from 'vitest'
import { testDials } from '../../../test/support/adapters/dials.ts'
import { POSITIONS, within } from '../../../test/support/adapters/recorder.ts'
import { eventually } from '../../../test/support/live.ts'
import { opened, scene } from './scene.ts'
import { pushed, scriptedServer } from './scripted-server.ts'

testDials({
  scene,
  scripted: scriptedServer,
  refusal: 'WRONGPASS invalid username-password pair',
  told: (reasons, advice) =>
    `No Redis server took the connection (${reasons}).${advice === 'without' ? '' : ' Check the credentials, the certificates and the version (6 or later).'}`,
  away: (address) => `connect ECONNREFUSED ${address}`,
})

test('tells nobody of the frames that come while it closes', async () => {
  const frame = pushed('message', '$1\r\nx')
  const server = await scriptedServer()
  const { transport, host } = await opened([server.address])
  await transport.join(POSITIONS, within())
  server.say(frame)
  await eventually(() => host.frames.length).toBe(1)
  server.beforePong = frame
  await transport.close(within())
  expect(host).toMatchObject({ frames: [{ text: 'x' }], errors: [], lefts: [], downs: [] })
})
