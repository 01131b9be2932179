import { getEventListeners } from 'node:events'
import { statSync, writeFileSync } from 'node:fs'
import { Readable } from 'node:stream'
import { createHub, openHub, type RivuletError, type Transport } from 'rivulet'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { feedTransport } from '../src/feed.ts'
import { Playback, type PlaybackOptions, type RecordingSource, writeRecord } from '../src/index.ts'
import { BEGINNING, recordingFile, recordOf, type Spoken } from './support/recording-file.ts'

const endless = new AbortController().signal
const HOUR_MS = 3_600_000

const WEEK: readonly Spoken[] = [
  ['positions', { n: 1 }, 0],
  ['alarms', { n: 2 }, 10],
  ['positions', { n: 3 }, 40],
]
/** More than a playback publishes before the next flush. */
const LARGE = Array.from({ length: 60 }, (_, n): Spoken => ['alarms', { n, text: 'x'.repeat(60_000) }])
const lineOf = (spoken: Spoken) => writeRecord(recordOf(spoken))

/** Plays on a hub of this process. `heard` collects the messages of the first pass on the streams of `WEEK`. */
function player(source: RecordingSource, options: PlaybackOptions = { speed: 'max' }) {
  const hub = createHub()
  const playback = new Playback(source, options)
  const heard: { readonly n: unknown; readonly atMs: number }[] = []
  const stop = new AbortController()
  const bad: RivuletError[] = []
  for (const name of ['positions', 'alarms']) {
    hub.stream(name, { limit: false, batch: false, maxBytes: 65_536 }).subscribe(({ data }) => {
      heard.push({ n: data.n, atMs: performance.now() })
      if (data.stop) stop.abort()
    })
  }
  const play = () => playback.play(hub, stop.signal, (error) => bad.push(error))
  return { hub, playback, heard, stop, bad, play, numbers: () => heard.map(({ n }) => n) }
}

describe('a playback', () => {
  test('reports its progress', async () => {
    const file = recordingFile(WEEK)
    const { playback, play } = player(file)
    const progress = () => {
      const { progress, streams, playedMs, bytesRead } = playback
      return { ...progress, streams, playedMs, bytesRead }
    }
    expect(progress()).toEqual({ messages: 0, skipped: 0, passes: 0, streams: 0, playedMs: 0, bytesRead: 0 })
    await play()
    const bytesRead = statSync(file).size
    expect(progress()).toEqual({ messages: 3, skipped: 0, passes: 1, streams: 2, playedMs: 40, bytesRead })
    expect(await playback.size()).toBe(bytesRead)
  })

  test.each<[number | undefined, number]>([
    [undefined, 40],
    [1, 40],
    [2, 20],
    [0.5, 80],
  ])('at speed %s gives no message before it is due', async (speed, leastMs) => {
    const { heard, play } = player(recordingFile(WEEK), speed === undefined ? {} : { speed })
    // Not from the first message on: that may be late.
    const startMs = performance.now()
    await play()
    expect(heard).toHaveLength(3)
    expect((heard[2]?.atMs ?? 0) - startMs).toBeGreaterThanOrEqual(leastMs - 1)
  })

  test('ends at once when its signal aborts, or after the current message', async () => {
    const waiting = player(recordingFile([...WEEK, ['alarms', { n: 4 }, HOUR_MS]]), { speed: 100 })
    const playing = waiting.play()
    while (waiting.heard.length < 3) await new Promise(setImmediate)
    waiting.stop.abort()
    await playing
    expect(waiting.numbers()).toEqual([1, 2, 3])
    expect(getEventListeners(waiting.stop.signal, 'abort')).toEqual([])
    const amid = player(
      recordingFile([
        ['alarms', { n: 1, stop: true }],
        ['alarms', { n: 2 }],
      ]),
    )
    await amid.play()
    expect(amid.numbers()).toEqual([1])
    const before = player(recordingFile(WEEK))
    const opening = before.play()
    before.stop.abort()
    await opening
    expect(before.numbers()).toEqual([])
  })

  test('waits a second of the recording between two passes, and can be ended there', async () => {
    const { heard, stop, play, playback } = player(recordingFile([['alarms', { n: 1 }]]), {
      loop: true,
      speed: 10,
    })
    const startMs = performance.now()
    const playing = play()
    while (playback.progress.passes < 3) await new Promise(setImmediate)
    // Two pauses.
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(199)
    stop.abort()
    await playing
    expect(heard).toHaveLength(1)
  })

  test('reads a stream of text in pieces, once', async () => {
    const text = `\uFEFF${lineOf(['positions', { n: 'ä' }])}\r\n\n   \n${lineOf(['alarms', { n: 2 }])}`
    const bytes = Buffer.from(text)
    const cut = bytes.indexOf(Buffer.from('ä')) + 1
    const source = Readable.from([bytes.subarray(0, cut), bytes.subarray(cut)], { objectMode: false })
    const { playback, play, numbers, bad } = player(source, { speed: 'max' })
    expect(await playback.size()).toBeUndefined()
    await play()
    expect([numbers(), bad, playback.bytesRead]).toEqual([['ä', 2], [], 0])
    expect(source.destroyed).toBe(true)
  })

  test('reads characters that gzip cuts in two', async () => {
    const word = `${'ä'.repeat(30_000)}x`
    const { play, numbers } = player(recordingFile([['alarms', { n: word }]], 'long.gz'))
    await play()
    expect(numbers()).toEqual([word])
  })

  test('reads a last line without an end, and a mark before the first line only', async () => {
    const file = recordingFile([])
    const marked = `\uFEFF${lineOf(['alarms', { n: 1 }])}`
    writeFileSync(file, marked)
    const single = player(file)
    await single.play()
    expect(single.numbers()).toEqual([1])
    writeFileSync(file, `${lineOf(['alarms', { n: 1 }])}\n   `)
    const spaced = player(file)
    await spaced.play()
    expect(spaced.numbers()).toEqual([1])
    writeFileSync(file, `${lineOf(['alarms', { n: 'a\uFEFFb' }])}\n${marked}\n${marked}`)
    const { play, numbers, bad } = player(file, { speed: 'max', skipBad: true })
    await play()
    expect(numbers()).toEqual(['a\uFEFFb'])
    expect(bad.map(({ message }) => message)).toEqual([
      `${file}, line 2: The line is not JSON.`,
      `${file}, line 3: The line is not JSON.`,
    ])
  })

  test('takes a line of 1 MiB, and no longer one', async () => {
    const file = recordingFile([])
    const line = lineOf(['alarms', { n: 1 }])
    writeFileSync(file, line.padEnd(1024 * 1024))
    const { play, numbers } = player(file)
    await play()
    expect(numbers()).toEqual([1])
    writeFileSync(file, line.padEnd(1024 * 1024 + 1))
    await expect(player(file).play()).rejects.toMatchObject({
      code: 'INVALID_DATA',
      message: `${file}, line 1: It is longer than 1 MiB; is it NDJSON?`,
    })
  })

  test('of an unreadable source rejects with the reason', async () => {
    const missing = new Playback('gone.ndjson')
    const refused = (reason: string) => ({
      code: 'INVALID_OPTIONS',
      message: expect.stringContaining(reason),
    })
    await expect(missing.size()).rejects.toMatchObject(
      refused("The recording gone.ndjson can't be read: ENOENT"),
    )
    await expect(missing.play(createHub(), endless)).rejects.toMatchObject(refused('ENOENT'))
    await expect(new Playback('/').size()).rejects.toMatchObject(refused('it is a folder'))
    const broken = new Readable({ read: () => void broken.destroy(new Error('the pipe broke')) })
    await expect(player(broken).play()).rejects.toMatchObject(
      refused("The recording standard input can't be read: the pipe broke."),
    )
  })

  test('lets the network take a megabyte before it publishes more, and loses nothing', async () => {
    const sent: number[] = []
    let isTaken = false
    const transport: Transport = {
      ...feedTransport((_, frame) => void sent.push(frame.length)),
      flush: async () => {
        while (!isTaken) await new Promise(setImmediate)
      },
    }
    const hub = createHub({ transport })
    await hub.ready()
    const playback = new Playback(recordingFile(LARGE), { speed: 'max' })
    const playing = playback.play(hub, endless)
    const bytes = () => sent.reduce((sum, length) => sum + length, 0)
    while (bytes() < 1_000_000) await new Promise(setImmediate)
    // Time for more, which must not come.
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(bytes()).toBeLessThan(1_200_000)
    isTaken = true
    await playing
    await hub.flush()
    expect(hub.ledger()).toMatchObject({ accepted: 60, confirmed: 60, lost: { congested: 0 } })
    await hub.close()
  })

  test('can be ended while the network takes nothing', async () => {
    // The hub itself aborts a flush after a while.
    vi.useFakeTimers({ toFake: ['setTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const leaving = new AbortController()
    const flush = async () => {
      leaving.abort()
      await new Promise(() => {})
    }
    const hub = createHub({ transport: { ...feedTransport(() => {}), flush } })
    await hub.ready()
    const playback = new Playback(recordingFile(LARGE), { speed: 'max' })
    await playback.play(hub, leaving.signal)
    expect(playback.progress.messages).toBeLessThan(LARGE.length)
  })

  test('opens a stream again that was removed meanwhile', async () => {
    const { hub, playback, play } = player(recordingFile(WEEK))
    hub.stream('positions').subscribe(() => hub.stream('positions').remove())
    await play()
    expect(playback.progress.messages).toBe(3)
  })
})

describe('a check', () => {
  const TOO_LARGE: Spoken = ['alarms', { text: 'x'.repeat(70_000) }, 0]
  const NAMELESS: Spoken = ['', { n: 1 }, 0]

  test('reads everything without waiting, and once even with loop', async () => {
    const much = Array.from(
      { length: 40 },
      (_, n): Spoken => ['alarms', { text: 'x'.repeat(60_000) }, n * HOUR_MS],
    )
    const playback = new Playback(recordingFile(much), { loop: true })
    await playback.check(endless)
    expect(playback.progress).toEqual({ messages: 40, skipped: 0, passes: 1 })
    expect(playback.playedMs).toBe(39 * HOUR_MS)
  })

  test('reports each line that a hub refuses, with the reason', async () => {
    const file = recordingFile([TOO_LARGE, ['alarms', { n: 1 }], NAMELESS, 'null'])
    const bad: RivuletError[] = []
    const playback = new Playback(file, { skipBad: true })
    await playback.check(endless, (error) => bad.push(error))
    expect(playback.progress).toEqual({ messages: 1, skipped: 3, passes: 1 })
    expect(bad.map(({ code, message }) => [code, message.slice(0, file.length + 8)])).toEqual([
      ['PAYLOAD_TOO_LARGE', `${file}, line 1`],
      ['INVALID_NAME', `${file}, line 3`],
      ['INVALID_DATA', `${file}, line 4`],
    ])
    for (const { cause } of bad) expect(cause).toBeInstanceOf(Error)
    expect(bad[2]?.cause).toMatchObject({ cause: new Error('The line has no stream.') })
  })

  test.each([
    ['PAYLOAD_TOO_LARGE', TOO_LARGE],
    ['INVALID_NAME', NAMELESS],
  ])('rejects at the first one with its code: %s', async (code, line) => {
    const file = recordingFile([WEEK[0] as Spoken, line])
    await expect(new Playback(file).check(endless)).rejects.toMatchObject({ code })
  })

  test('of a hub that was closed meanwhile is no fault of the line', async () => {
    const hub = createHub()
    await hub.close()
    const playing = new Playback(recordingFile(WEEK), { skipBad: true }).play(hub, endless)
    await expect(playing).rejects.toMatchObject({ code: 'HUB_CLOSED' })
  })
})

describe('the URL of a replay', () => {
  /** Plays the URL to a tap until `count` messages have arrived. */
  async function heardOf(query: string, count: number, lines: readonly (Spoken | string)[] = WEEK) {
    const file = recordingFile(lines)
    const hub = await openHub(`replay:${file}?speed=max${query}`)
    const heard: string[] = []
    await new Promise<void>((resolve) => {
      hub.tap(({ data }, stream) => {
        if (heard.push(`${stream} ${(data as { n: unknown }).n}`) === count) resolve()
      })
    })
    for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate)
    await hub.close()
    return heard
  }

  test.each([
    ['', ['positions 1', 'alarms 2', 'positions 3']],
    ['&rename=alarms=bells&rename=positions=places=x', ['places=x 1', 'bells 2', 'places=x 3']],
    ['&from=10', ['alarms 2', 'positions 3']],
    ['&from=10&to=40', ['alarms 2']],
    [`&from=${new Date(BEGINNING + 10).toISOString()}`, ['alarms 2', 'positions 3']],
    ['&from=2026-01-31&to=2026-02-01', ['positions 1', 'alarms 2', 'positions 3']],
    ['&loop=false&skipBad=false', ['positions 1', 'alarms 2', 'positions 3']],
  ])('plays by its parameters: %s', async (query, expected) => {
    expect(await heardOf(query, expected.length)).toEqual(expected)
  })

  test('skips no bad lines with skipBad=false', async () => {
    const file = recordingFile(['no JSON'])
    const hub = await openHub(`replay:${file}?speed=max&skipBad=false`)
    const error = new Promise<RivuletError>((resolve) => void hub.on('error', resolve))
    hub.tap(() => {})
    expect((await error).message).toContain('line 1')
    await hub.close()
  })

  test('loops, and leaves bad lines out', async () => {
    expect((await heardOf('&loop=true', 7)).slice(0, 4)).toEqual([
      ...['positions 1', 'alarms 2', 'positions 3', 'positions 1'],
    ])
    const [first, ...others] = WEEK as [Spoken, ...Spoken[]]
    expect(await heardOf('&skipBad=true', 3, [first, 'no JSON', ...others])).toHaveLength(3)
  })
})
