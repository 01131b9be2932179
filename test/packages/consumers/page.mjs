import { strict as assert } from 'node:assert'
import { websocket } from '@rivulet/websocket'
import { SignJWT } from 'jose'
import { createHub } from 'rivulet'

// Two pages exchange messages over the runtime's own WebSocket: page.mjs URL
const url = process.argv.at(-1)
const token = () =>
  new SignJWT({ grants: [{ allow: ['publish', 'listen'] }], jti: crypto.randomUUID() })
    .setProtectedHeader({ alg: 'HS256', kid: `SK${'b'.repeat(32)}` })
    .setExpirationTime('10 minutes')
    .sign(new TextEncoder().encode('a secret of 32 characters or more'))

const hubs = [0, 1].map(() => createHub({ transport: websocket({ url, token }) }))
const heard = [[], []]
for (const [index, hub] of hubs.entries()) {
  const take = ({ data, isLocal }) => heard[index].push({ data, isLocal })
  await hub.stream('positions').subscribe(take).ready
}
for (const [index, hub] of hubs.entries()) hub.stream('positions').publish({ index })
while (heard.some(({ length }) => length < 2)) await new Promise((resolve) => setTimeout(resolve, 10))
for (const [index, messages] of heard.entries()) {
  const expected = [0, 1].map((publisher) => ({ data: { index: publisher }, isLocal: publisher === index }))
  assert.deepEqual(
    messages.toSorted((one, other) => one.data.index - other.data.index),
    expected,
  )
}
const ledgers = await Promise.all(hubs.map((hub) => hub.close()))
for (const { accepted, received, delivered } of ledgers)
  assert.deepEqual([accepted, received, delivered], [1, 1, 1])
process.exit(0)
