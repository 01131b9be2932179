import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { expectDropped, NONE_DROPPED as NONE } from '../support/dropped.ts'
import { openScene, type Scene, tick, wire } from '../support/remote-scene.ts'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

describe('an own message that comes back', () => {
  /** Publishes, and gives back what went out. */
  async function publishOne(scene: Scene): Promise<string> {
    scene.stream.publish({ mine: true })
    await tick()
    scene.heard.length = 0
    return scene.transport.sent.at(-1)?.text as string
  }

  // RELIABILITY 21
  test('is counted as echo and not delivered again', async () => {
    const scene = await openScene()
    const echo = await publishOne(scene)
    scene.receive(echo)
    expectDropped(scene, 'echo')
  })

  test('is recognized from its last bytes before it is charged or decoded', async () => {
    const scene = await openScene()
    await publishOne(scene)
    for (const n of [1, 2]) scene.stream.publish({ n })
    await tick()
    scene.heard.length = 0
    const parse = vi.spyOn(JSON, 'parse')
    const { available } = scene.stream.budget()
    for (let count = 0; count < 1_000; count++) {
      for (const { text } of scene.transport.sent) scene.receive(text)
    }
    expect(parse).not.toHaveBeenCalled()
    parse.mockRestore()
    expect(scene.stream.budget().available).toBe(available)
    expectDropped(scene, 'echo', 2_000)
  })

  test('is recognized in any other spelling, after decoding', async () => {
    const scene = await openScene()
    const echo = JSON.parse(await publishOne(scene))
    scene.receive(`{"t":${echo.t}, "sid":"${echo.sid}", "data":{}} `)
    expectDropped(scene, 'echo')
  })

  test('is no echo when its origin only looks alike', async () => {
    const scene = await openScene()
    const echo = JSON.parse(await publishOne(scene))
    const digit = echo.sid[10] === '0' ? '1' : '0'
    scene.receive({ ...echo, sid: `${echo.sid.slice(0, 10)}${digit}${echo.sid.slice(11)}` })
    expect(scene.ledger).toMatchObject({ received: 1, delivered: 1, dropped: NONE })
  })

  test('is an echo also of a stream closed since, on any stream of the name', async () => {
    const scene = await openScene()
    const echo = await publishOne(scene)
    scene.stream.close()
    const again = scene.hub.stream('scene')
    const heard: unknown[] = []
    await again.subscribe(({ data }) => heard.push(data)).ready
    scene.receive(echo)
    await vi.advanceTimersByTimeAsync(3_600_000)
    scene.receive(echo)
    scene.receive(JSON.stringify(JSON.parse(echo), null, 1))
    expect(heard).toEqual([])
    expect(again.ledger()).toMatchObject({ received: 3, dropped: { ...NONE, echo: 3 } })
  })

  test('is an echo of any stream of the hub, also the 65 537th; every sid differs', async () => {
    const scene = await openScene()
    const sids: string[] = []
    for (let nth = 0; nth < 65_540; nth++) {
      const stream = scene.hub.stream(`s${nth}`)
      sids.push(stream.publish({}).sid)
      stream.close()
    }
    expect(new Set(sids).size).toBe(sids.length)
    expect(sids[0]).toMatch(/^TZ[0-9a-f]{12}0000{1}0{15}1$/)
    const prefixes = new Set(sids.map((sid) => sid.slice(2, 14)))
    expect(prefixes.size).toBe(2)
    expect(new Set(sids.slice(0, 65_000).map((sid) => sid.slice(14, 18))).size).toBe(65_000)
    for (const sid of [sids[0], sids[65_535], sids[65_536], sids.at(-1)])
      scene.receive(`{"data":{},"sid":"${sid}","t":0}`)
    expectDropped(scene, 'echo', 4)
  })

  test('is no echo when it is of another hub whose prefix differs in one digit', async () => {
    const scene = await openScene()
    const origin = scene.stream.publish({}).sid.slice(2, 18)
    scene.heard.length = 0
    const other = `${origin.slice(0, 11)}${origin[11] === '0' ? '1' : '0'}${origin.slice(12)}`
    scene.receive(wire(1, 0, other))
    expect(scene.data).toEqual([{ n: 1 }])
  })

  test('that ended the stream is an echo too, and does not end the next one', async () => {
    const scene = await openScene()
    await publishOne(scene)
    scene.stream.remove()
    await tick()
    const removal = scene.transport.sent.at(-1)?.text as string
    expect(removal).toMatch(/^\{"removed":true/)
    const again = scene.hub.stream('scene')
    await again.subscribe(() => {}).ready
    scene.receive(removal)
    expect(again.closed).toBe(false)
    expect(again.ledger()).toMatchObject({ received: 1, dropped: { ...NONE, echo: 1 } })
  })
})
