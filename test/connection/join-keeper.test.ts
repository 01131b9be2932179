import type { Topic } from 'rivulet'
import { type JoinChange, keepJoins } from 'rivulet/transport'
import { expect, test } from 'vitest'
import { topicOf } from '../../src/model/topic.ts'
import { HandMadeEnvironment } from '../support/hand-made-environment.ts'
import { ScriptedTransport } from '../support/scripted-transport.ts'

const A = topicOf('fleet', 'a')
const B = topicOf('fleet', 'b')

function scene() {
  const transport = new ScriptedTransport()
  const environment = new HandMadeEnvironment()
  const changes: [Topic, JoinChange][] = []
  const failures: string[] = []
  const joins = keepJoins(
    transport,
    {
      joinChanged: (topic, change) => changes.push([topic, change]),
      failed: (error) => failures.push(error.code),
    },
    environment,
  )
  return { transport, environment, changes, failures, joins }
}

test('a keeper of joins makes what is wanted once there is a connection, and again on the next one', async () => {
  const { transport, environment, changes, joins } = scene()
  joins.want(A)
  await environment.pass(0)
  expect(transport.joins).toHaveLength(0)
  for (const cause of [new Error('gone'), undefined]) {
    const connection = new AbortController()
    joins.connect(connection.signal)
    await environment.pass(0)
    connection.abort()
    joins.disconnect(cause)
  }
  expect(transport.joins.map(({ topic }) => topic)).toEqual([A, A])
  expect(changes).toEqual(['joined', 'left', 'joined', 'left'].map((change) => [A, change]))
})

test('a keeper of joins tries a refused one again, and tells of it once', async () => {
  const { transport, environment, changes, failures, joins } = scene()
  joins.connect(new AbortController().signal)
  transport.answers.join = new Error('denied')
  joins.want(A)
  await environment.pass(1_000)
  expect(transport.joins.length).toBeGreaterThan(2)
  expect(failures).toEqual(['TRANSPORT_FAILED'])
  transport.answers.join = 'resolve'
  await environment.pass(1_000)
  expect(changes.at(-1)).toEqual([A, 'joined'])
})

test('a keeper of joins leaves what is not wanted any more, and keeps the rest', async () => {
  const { transport, environment, joins } = scene()
  joins.connect(new AbortController().signal)
  for (const topic of [A, B]) joins.want(topic)
  await environment.pass(0)
  joins.unwant(A)
  await environment.pass(0)
  expect([transport.left, joins.size]).toEqual([[A], 1])
})
