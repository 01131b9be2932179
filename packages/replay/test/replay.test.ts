import {
  createHub,
  type Hub,
  type Message,
  openHub,
  type RivuletError,
  type Topic,
  type Transport,
} from 'rivulet'
import { RecordingHost } from 'rivulet/testing'
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { topicOf } from '../../../src/message/topic.ts'
import { endless } from '../../../test/support/adapters/waits.ts'
import { expectLaws } from '../../../test/support/ledger-laws.ts'
import { type PlaybackEnd, type ReplayOptions, replay } from '../src/index.ts'
import { BEGINNING, recordingFile, recordOf, type Spoken } from './support/recording-file.ts'

const hubs: Hub[] = []

afterEach(async () => {
  for (const hub of hubs.splice(0)) expectLaws(await hub.close())
})

const WEEK: readonly Spoken[] = [
  ['positions', { n: 1 }, 0],
  ['alarms', { n: 2 }, 10],
  ['positions', { n: 3 }, 10],
  ['positions', { n: 4 }, 30],
  ['alarms', { n: 5 }, 40],
]

type Heard = readonly [stream: string, data: unknown]

/** Plays to a tap. Resolves at the end of the recording to all received messages. */
async function playedToTap(options: ReplayOptions) {
  const { promise, ended } = ending()
  const { hub, errors } = hubOn({ ...options, ended })
  const messages: Message[] = []
  const heard: Heard[] = []
  const tap = hub.tap((message, stream) => {
    messages.push(message as Message)
    heard.push([stream, message.data])
  })
  await tap.ready
  return { hub, errors, tap, messages, heard, end: await promise }
}

function ending() {
  let ended: (end: PlaybackEnd) => void = () => {}
  const promise = new Promise<PlaybackEnd>((resolve) => {
    ended = resolve
  })
  return { promise, ended }
}

function hubOn(options: ReplayOptions) {
  const hub = createHub({ transport: replay(options) })
  const errors: RivuletError[] = []
  hub.on('error', (error) => errors.push(error))
  hubs.push(hub)
  return { hub, errors }
}

test('the callback at the end is called on no object', async () => {
  const calledOn = new Promise((resolve) => {
    const ended = function (this: unknown) {
      resolve([this])
    }
    hubOn({ file: recordingFile(WEEK), ended }).hub.tap(() => {})
  })
  expect(await calledOn).toEqual([undefined])
})

const spoken = (lines: readonly Spoken[]): Heard[] => lines.map(([stream, data]) => [stream, data])

describe('a recording as a transport', () => {
  test('gives all streams their messages in order, to a tap and to subscribers', async () => {
    const file = recordingFile(WEEK)
    const { heard, messages, tap, end, errors } = await playedToTap({ file })
    expect(heard).toEqual(spoken(WEEK))
    expect(end).toEqual({ messages: 5, skipped: 0, passes: 1, error: undefined })
    expect(errors).toEqual([])
    expect(tap.ledger()).toMatchObject({ received: 5, delivered: 5, missed: 0, reordered: 0 })
    const recorded = WEEK.map((line, index) => recordOf(line, index + 1).sid)
    expect(messages.filter(({ sid }) => recorded.includes(sid))).toEqual([])

    const hub = await openHub(`replay:${file}?speed=max&end=remove`)
    hubs.push(hub)
    const read = async (name: string) => {
      const all: unknown[] = []
      for await (const { data, isLocal } of hub.stream(name)) all.push([data, isLocal])
      return all
    }
    expect(await Promise.all([read('positions'), read('alarms'), read('alarms')])).toEqual([
      [1, 3, 4].map((n) => [{ n }, false]),
      [2, 5].map((n) => [{ n }, false]),
      [2, 5].map((n) => [{ n }, false]),
    ])
  })

  test('begins at the first join, and delivers nothing to a stream once it is left', async () => {
    const { promise, ended } = ending()
    const { hub } = hubOn({ file: recordingFile(WEEK), speed: 'max', ended })
    await hub.ready()
    await hub.flush()
    const heard: unknown[] = []
    const subscription = hub.stream('positions').subscribe(({ data }) => {
      heard.push(data)
      if (data.n === 3) subscription.unsubscribe()
    })
    hub.stream('alarms').subscribe(({ data }) => heard.push(data))
    expect(await promise).toMatchObject({ messages: 5 })
    expect(heard).toEqual([1, 2, 3, 5].map((n) => ({ n })))
  })

  test('sends nothing: published messages stay here, and count as lost offline', async () => {
    const { hub } = hubOn({ file: recordingFile(WEEK) })
    await hub.ready()
    const heard: unknown[] = []
    const stream = hub.stream('commands')
    stream.subscribe(({ data, isLocal }) => heard.push([data, isLocal]))
    stream.publish({ go: true })
    await hub.flush()
    expect(heard).toEqual([[{ go: true }, true]])
    expect(stream.ledger()).toMatchObject({ accepted: 1, lost: { offline: 1 }, confirmed: 0 })
  })

  test('renames streams, and plays a part', async () => {
    const file = recordingFile(WEEK)
    const some = await playedToTap({ file, speed: 'max', rename: { alarms: 'bells' }, from: 10, to: 40 })
    expect(some.heard).toEqual([
      ['bells', { n: 2 }],
      ['positions', { n: 3 }],
      ['positions', { n: 4 }],
    ])
    const dates = { from: new Date(BEGINNING + 30), to: new Date(BEGINNING + 31) }
    expect((await playedToTap({ file, speed: 'max', ...dates })).heard).toEqual([['positions', { n: 4 }]])
    expect((await playedToTap({ file, speed: 'max', from: 41 })).end).toMatchObject({ messages: 0 })
  })

  test('reads gzip', async () => {
    const { heard } = await playedToTap({ file: recordingFile(WEEK, 'week.ndjson.gz'), speed: 'max' })
    expect(heard).toEqual(spoken(WEEK))
  })

  test('plays again and again with new publishers, until the hub is closed', async () => {
    const { hub } = hubOn({ file: recordingFile(WEEK), speed: 'max', loop: true })
    const sids: string[] = []
    await new Promise<void>((resolve) => {
      hub.tap(({ sid }) => {
        if (sids.push(sid) === 3 * WEEK.length) resolve()
      })
    })
    await hub.close()
    const count = sids.length
    expect(new Set(sids).size).toBe(count)
    await new Promise(setImmediate)
    expect(sids.length).toBe(count)
  })

  test('counts nothing as missed or repeated in any pass', async () => {
    const { hub } = hubOn({ file: recordingFile(WEEK), speed: 'max', loop: true })
    const tap = hub.tap(() => {})
    while (tap.ledger().received < 100) await new Promise(setImmediate)
    expect(tap.ledger()).toMatchObject({ missed: 0, reordered: 0, dropped: { duplicate: 0, malformed: 0 } })
    for (const { publishers } of tap.streams()) expect(publishers).toBeGreaterThan(1)
  })

  test('ends a loop over nothing', async () => {
    const { end } = await playedToTap({ file: recordingFile([]), speed: 'max', loop: true })
    expect(end).toEqual({ messages: 0, skipped: 0, passes: 1, error: undefined })
  })
})

/** Plays on a transport without a hub, and records the calls of its host. */
async function played(options: ReplayOptions, listen: (transport: Transport) => Promise<unknown>) {
  const { promise, ended } = ending()
  const host = new RecordingHost()
  const transport = replay({ speed: 'max', ...options, ended: options.ended ?? ended })
  await transport.open(host, endless)
  await listen(transport)
  return { transport, host, promise }
}

const [POSITIONS, ALARMS] = [topicOf('default', 'positions'), topicOf('default', 'alarms')]

describe('the transport of a recording', () => {
  test('reports its capabilities', () => {
    const { name, capabilities } = replay({ file: 'recording.ndjson' })
    expect([name, capabilities]).toMatchObject([
      'replay',
      { scope: 'process', echoes: false, ordered: true, watch: true },
    ])
    expect(capabilities.maxFrameBytes(POSITIONS)).toBe(Infinity)
  })

  test('delivers joined streams, and nothing without a watch', async () => {
    const { host, promise } = await played({ file: recordingFile(WEEK) }, (transport) =>
      transport.join(ALARMS, endless),
    )
    await promise
    expect(host.frames.map(({ topic }) => topic)).toEqual([ALARMS, ALARMS])
    expect(host.calls).toBe(2)
  })

  test('delivers no stream that was left, and to a watch also joined streams', async () => {
    const { host, promise } = await played({ file: recordingFile(WEEK) }, async (transport) => {
      await transport.join(ALARMS, endless)
      await transport.join(POSITIONS, endless)
      await transport.watch('default', endless)
      transport.leave(POSITIONS)
    })
    await promise
    expect(host.frames.map(({ topic }) => topic)).toEqual([ALARMS, ALARMS])
    expect(host.watchedFrames).toHaveLength(5)
  })

  test('delivers nothing once closed, reports no end, and accepts no joins', async () => {
    const ended = vi.fn()
    const hour: Spoken[] = [['alarms', {}, 0], ['alarms', {}, 1], ...[['alarms', {}, 3_600_000] as Spoken]]
    const options = { file: recordingFile(hour), speed: 1, ended } as const
    const { transport, host } = await played(options, (transport) => transport.join(ALARMS, endless))
    while (host.calls === 0) await new Promise(setImmediate)
    await transport.close(endless)
    const { calls } = host
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect([host.calls, ended.mock.calls]).toEqual([calls, []])
    const closed = { code: 'TRANSPORT_UNAVAILABLE', message: 'The replay was closed.' }
    await expect(transport.join(ALARMS, endless)).rejects.toMatchObject(closed)
    await expect(transport.watch('default', endless)).rejects.toMatchObject(closed)
    await expect(transport.flush(endless)).rejects.toMatchObject(closed)
    await expect(transport.join(ALARMS, AbortSignal.abort('given up'))).rejects.toBe('given up')
  })

  test('hands over no more once it was closed amid the messages of one turn', async () => {
    const file = recordingFile(WEEK)
    const transport = replay({ file, speed: 'max' })
    const taken: unknown[] = []
    const closing: Promise<void>[] = []
    const noop = () => {}
    const watched = (_: string, frame: unknown) => taken.push(frame)
    const receive = (_: Topic, frame: unknown) => {
      taken.push(frame)
      closing.push(transport.close(endless))
    }
    const host = { hub: 'default', receive, watched, error: noop, down: noop, left: noop }
    await transport.open(host, endless)
    await transport.join(POSITIONS, endless)
    await transport.watch('default', endless)
    while (closing.length === 0) await new Promise(setImmediate)
    await Promise.all(closing)
    expect(taken).toHaveLength(1)
  })

  test('hands over no more once it was closed amid the removals at its end', async () => {
    let closing: Promise<void> | undefined
    let frames = 0
    const receive = () => {
      frames += 1
      if (frames > WEEK.length) closing ??= transport.close(endless)
    }
    const noop = () => {}
    const transport = replay({ file: recordingFile(WEEK), speed: 'max', end: 'remove' })
    await transport.open(
      { hub: 'default', receive, watched: noop, error: noop, down: noop, left: noop },
      endless,
    )
    for (const topic of [POSITIONS, ALARMS]) await transport.join(topic, endless)
    while (closing === undefined) await new Promise(setImmediate)
    await closing
    expect(frames).toBe(WEEK.length + 1)
  })

  test('leaves the streams open at the end, and needs no callback', async () => {
    const { hub, errors } = hubOn({ file: recordingFile(WEEK), speed: 'max' })
    const stream = hub.stream('alarms')
    const heard = new Promise<void>((resolve) => {
      stream.subscribe(({ data }) => data.n === 5 && resolve())
    })
    await heard
    // Time for an error that must not come.
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect([stream.closed, errors]).toEqual([false, []])
  })
})

describe('a damaged recording', () => {
  const DAMAGED = [WEEK[0] as Spoken, '{"stream":"positions","da', ['', {}, 1] as Spoken, WEEK[1] as Spoken]

  test('ends at the first bad line, and reports its number', async () => {
    const file = recordingFile(DAMAGED)
    const { heard, errors, end } = await playedToTap({ file, speed: 'max' })
    expect(heard).toEqual([['positions', { n: 1 }]])
    expect(errors.map(({ code, message }) => [code, message])).toEqual([
      ['TRANSPORT_FAILED', expect.stringContaining(`${file}, line 2: The line is not JSON.`)],
    ])
    expect(end).toMatchObject({ messages: 1, error: { code: 'TRANSPORT_FAILED' } })
  })

  test('skips bad lines with skipBad', async () => {
    const { heard, errors, end } = await playedToTap({ file: recordingFile(DAMAGED), skipBad: true })
    expect(heard).toEqual([
      ['positions', { n: 1 }],
      ['alarms', { n: 2 }],
    ])
    expect(errors).toEqual([])
    expect(end).toMatchObject({ messages: 2, skipped: 2, error: undefined })
  })

  test('that is a cut gzip file, or has no line ends, is reported', async () => {
    const { writeFileSync, readFileSync } = await import('node:fs')
    const cut = recordingFile(WEEK, 'cut.gz')
    writeFileSync(cut, readFileSync(cut).subarray(0, 60))
    expect((await playedToTap({ file: cut, speed: 'max' })).end.error?.message).toMatch(
      /cut\.gz can't be read/,
    )
    const endless = recordingFile([' '.repeat(3 * 1024 * 1024)])
    expect((await playedToTap({ file: endless })).end.error?.message).toMatch(
      /line 1: It is longer than 1 MiB/,
    )
  })

  test.each<[string, ReplayOptions['ended']]>([
    [
      'throws',
      () => {
        throw new Error('of the callback')
      },
    ],
    ['rejects', async () => Promise.reject(new Error('of the callback'))],
  ])('and a callback that %s are reported as errors of the hub', async (_, ended) => {
    const file = recordingFile(WEEK)
    const failed = new Promise<RivuletError>((resolve) => {
      const { hub } = hubOn({ file, speed: 'max', ended })
      hub.on('error', resolve)
      hub.stream('positions').subscribe(() => {})
    })
    expect(await failed).toMatchObject({
      code: 'TRANSPORT_FAILED',
      message: expect.stringContaining('of the callback'),
      cause: new Error('of the callback'),
    })
  })

  test('and a callback that closes the hub and then rejects leave nothing unhandled', async () => {
    const unhandled: unknown[] = []
    const hear = (reason: unknown) => unhandled.push(reason)
    process.on('unhandledRejection', hear)
    onTestFinished(() => void process.off('unhandledRejection', hear))
    const { promise, ended } = ending()
    const { hub } = hubOn({
      file: recordingFile(WEEK),
      speed: 'max',
      async ended(end) {
        await hub.close()
        ended(end)
        throw new Error('too late')
      },
    })
    hub.stream('positions').subscribe(() => {})
    expect(await promise).toMatchObject({ messages: 5 })
    await new Promise(setImmediate)
    expect(unhandled).toEqual([])
  })
})
