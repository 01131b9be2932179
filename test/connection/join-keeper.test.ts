import { RivuletError, type Topic } from 'rivulet'
import { type JoinChange, keepJoins } from 'rivulet/adapter'
import { describe, expect, test, vi } from 'vitest'
import { topicOf } from '../../src/message/topic.ts'
import { HandMadeEnvironment } from '../support/hand-made-environment.ts'
import { ScriptedTransport } from '../support/scripted-transport.ts'

const A = topicOf('fleet', 'a')
const B = topicOf('fleet', 'b')
const POISON = topicOf('fleet', 'poison')

function scene() {
  const transport = new ScriptedTransport()
  const environment = new HandMadeEnvironment()
  const changes: [Topic, JoinChange][] = []
  const failures: string[] = []
  const errors: RivuletError[] = []
  const joins = keepJoins(
    transport,
    {
      joinChanged: (topic, change) => changes.push([topic, change]),
      failed: (error) => {
        failures.push(error.code)
        errors.push(error)
      },
    },
    environment,
  )
  let connection = new AbortController()
  const connect = async () => {
    connection = new AbortController()
    joins.connect(connection.signal)
    await environment.pass(0)
  }
  const lose = (cause?: Error) => {
    connection.abort()
    joins.disconnect(cause)
  }
  /** How often a topic was joined. */
  const tries = (asked: Topic) => transport.joins.filter(({ topic }) => topic === asked).length
  return { transport, environment, changes, failures, errors, joins, connect, lose, tries }
}

test('a keeper of joins makes wanted joins on a connection, and again on the next one', async () => {
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

test('a keeper of joins retries a refused one, and reports it once', async () => {
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

test('a keeper of joins may be told to leave a topic that it never joined', async () => {
  const { transport, environment, joins } = scene()
  joins.unwant(A)
  await environment.pass(0)
  expect([transport.log, joins.size]).toEqual([[], 0])
})

test('a keeper of joins keeps a topic that is wanted again between two goodbyes', async () => {
  const { transport, environment, joins, connect } = scene()
  await connect()
  joins.want(A)
  await environment.pass(0)
  joins.unwant(A)
  queueMicrotask(() => joins.want(A))
  joins.unwant(A)
  await environment.pass(0)
  expect([transport.log, joins.size]).toEqual([['join', 'leave', 'join'], 1])
})

test('a keeper of joins tells that the broker ended one, and of its return', async () => {
  const { environment, changes, joins, connect } = scene()
  await connect()
  joins.want(A)
  await environment.pass(0)
  joins.left(A, new Error('revoked'))
  await environment.pass(200)
  const refusal = expect.objectContaining({ code: 'TRANSPORT_FAILED' })
  expect(changes).toEqual(['joined', 'left', refusal, 'joined'].map((change) => [A, change]))
})

test('a keeper of joins has 256 under way at a time, and starts the next at an answer', async () => {
  const { transport, environment, joins, connect } = scene()
  transport.answers.join = 'hang'
  await connect()
  for (let nth = 0; nth < 300; nth++) joins.want(topicOf('fleet', `${nth}`))
  await environment.pass(0)
  expect(transport.joins).toHaveLength(256)
  transport.joins[7]?.resolve()
  await environment.pass(0)
  expect(transport.joins).toHaveLength(257)
})

describe('a join that waits to be tried again', () => {
  test('waits on though it is wanted once more, and does not hold the process', async () => {
    const { transport, environment, joins, connect, tries } = scene()
    const setTimer = vi.spyOn(environment, 'setTimer')
    transport.answers.join = new Error('denied')
    await connect()
    joins.want(A)
    await environment.pass(0)
    joins.want(A)
    await environment.pass(0)
    expect(tries(A)).toBe(1)
    expect(setTimer.mock.calls.map((args: unknown[]) => args[2])).toEqual([true, false])
  })

  test('is made at once on the next connection, and has no timer before', async () => {
    const { transport, environment, changes, joins, connect, lose } = scene()
    transport.answers.join = new Error('denied')
    await connect()
    joins.want(A)
    await environment.pass(100_000)
    lose(new Error('gone'))
    expect(environment.timers).toBe(0)
    transport.answers.join = 'resolve'
    await connect()
    expect(changes.at(-1)).toEqual([A, 'joined'])
  })

  test('was refused for good when the transport says so itself', async () => {
    const { transport, failures, joins, connect } = scene()
    transport.answers.join = new RivuletError('TRANSPORT_FAILED', 'Not allowed.')
    joins.want(A)
    await connect()
    expect(failures).toEqual(['TRANSPORT_FAILED'])
  })
})

describe('joins on which the connection is lost', () => {
  /** A broker that answers after a while, and ends the connection 100 ms after one topic is asked for. */
  function poisoned(answerMs: number) {
    const all = scene()
    const { transport, environment, connect, lose } = all
    const join = transport.join.bind(transport)
    let losses = 0
    transport.answers.join = 'hang'
    transport.join = (topic, signal) => {
      const joined = join(topic, signal)
      const { resolve } = transport.joins.at(-1) as (typeof transport.joins)[number]
      const end = () => {
        losses++
        lose(new Error('violation.'))
        void connect()
      }
      const cancel = environment.setTimer(
        ...((topic === POISON ? [end, 100] : [resolve, answerMs]) as [() => void, number]),
      )
      signal.addEventListener('abort', cancel)
      return joined
    }
    return { ...all, losses: () => losses }
  }

  test.each([
    ['two times when the others are answered before', 50, [POISON, A, B], 2],
    ['two times when it is the only one', 50, [POISON], 2],
    ['three times when the others are under way, too: it comes first', 150, [POISON, A, B], 3],
    ['three times when the others are under way, too: it comes last', 150, [A, B, POISON], 3],
  ])('find the cause after it was lost %s', async (_, answerMs, topics, most) => {
    const { environment, changes, errors, joins, connect, losses } = poisoned(answerMs)
    await connect()
    for (const topic of topics) joins.want(topic)
    await environment.pass(4_000)
    expect(losses()).toBe(most)
    for (const topic of topics) {
      const { length } = changes.filter(
        ([changed, change]) => changed === topic && change !== 'joined' && change !== 'left',
      )
      expect(length).toBe(topic === POISON ? 1 : 0)
      if (topic !== POISON)
        expect(changes.filter(([changed]) => changed === topic).at(-1)).toEqual([topic, 'joined'])
    }
    expect(errors).toMatchObject([
      {
        code: 'TRANSPORT_FAILED',
        message: 'The broker refused the join: the connection is lost each time: violation. Trying again.',
        cause: { cause: { message: 'violation.' } },
      },
    ])
  })

  test('wait their time over another loss, and until the others are answered', async () => {
    const { environment, joins, connect, lose, losses, tries } = poisoned(50)
    await connect()
    joins.want(POISON)
    await environment.pass(4_000)
    lose(new Error('cable'))
    await connect()
    joins.want(A)
    await environment.pass(1_170) // it is lost for the second time after 200 ms, and waits for 5 s
    joins.want(B)
    await environment.pass(40)
    expect([losses(), tries(POISON), tries(B)]).toEqual([2, 2, 1])
    await environment.pass(10)
    expect([losses(), tries(POISON), tries(B)]).toEqual([2, 3, 1])
  })

  test('are not to blame when it is closed on purpose', async () => {
    const { transport, errors, joins, connect, lose } = scene()
    transport.answers.join = 'hang'
    joins.want(A)
    for (let round = 0; round < 5; round++) {
      await connect()
      lose()
    }
    expect([errors, transport.joins.length]).toEqual([[], 5])
  })
})
