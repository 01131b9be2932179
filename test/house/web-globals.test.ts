import { join } from 'node:path'
import { build } from 'esbuild'
import { expect, test } from 'vitest'
import { ROOT } from '../support/source-files.ts'
import { runWithWebGlobals } from '../support/web-context.ts'

/** Bundles a program with the entry for browsers and workers, which must find everything without Node. */
async function bundle(program: string): Promise<string> {
  const result = await build({
    stdin: { contents: program, resolveDir: import.meta.dirname, loader: 'ts' },
    bundle: true,
    write: false,
    format: 'iife',
    platform: 'browser',
    target: 'es2022',
    conditions: ['@rivulet/source'],
    alias: {
      rivulet: join(ROOT, 'src/index.ts'),
      'rivulet/adapter': join(ROOT, 'src/adapter/index.ts'),
    },
    logLevel: 'silent',
  })
  return result.outputFiles[0]?.text ?? ''
}

test('the core publishes where only web globals exist', async () => {
  const script = await bundle(`
    import { createHub } from 'rivulet'
    const hub = createHub()
    const stream = hub.stream('positions')
    const seen = []
    stream.subscribe((message) => seen.push(JSON.parse(JSON.stringify(message))))
    const { sid } = stream.publish({ truck: 7, at: new Date(0) })
    hub.close().then((ledger) => finish({ seen, sid, accepted: ledger.accepted }), fail)
  `)
  const { seen, sid, accepted } = (await runWithWebGlobals(script)) as Record<string, unknown>
  expect(sid).toMatch(/^TZ[0-9a-f]{32}$/)
  expect(seen).toEqual([{ sid, data: { truck: 7, at: '1970-01-01T00:00:00.000Z' } }])
  expect(accepted).toBe(1)
})

test('two hubs reach each other over the memory bus where only web globals exist', async () => {
  const script = await bundle(`
    import { createHub } from 'rivulet'
    import { memoryBus } from '@rivulet/memory'
    async function main() {
      const bus = memoryBus({ seed: 1 })
      const [near, far] = [createHub({ transport: bus.transport() }), createHub({ transport: bus.transport() })]
      await Promise.all([near.ready(), far.ready()])
      const arrived = new Promise((resolve) => {
        const subscription = far.stream('positions').subscribe(resolve)
        subscription.ready.then(() => near.stream('positions').publish({ truck: 7 }), fail)
      })
      const { data, isLocal } = await arrived
      await Promise.all([near.close(), far.close()])
      return { data, isLocal }
    }
    main().then(finish, fail)
  `)
  expect(await runWithWebGlobals(script)).toEqual({ data: { truck: 7 }, isLocal: false })
})

test('openHub opens a hub by its URL where only web globals exist', async () => {
  const script = await bundle(`
    import { openHub } from 'rivulet'
    async function main() {
      const hubs = await Promise.all([openHub('memory:yard?name=fleet'), openHub('memory:yard?name=fleet')])
      const arrived = new Promise((resolve) => {
        const subscription = hubs[1].stream('positions').subscribe(resolve)
        subscription.ready.then(() => hubs[0].stream('positions').publish({ truck: 7 }), fail)
      })
      const { data } = await arrived
      await Promise.all(hubs.map((hub) => hub.close()))
      return data
    }
    main().then(finish, fail)
  `)
  expect(await runWithWebGlobals(script)).toEqual({ truck: 7 })
})

test('openHub knows no scheme whose package needs Node where only web globals exist', async () => {
  const script = await bundle(`
    import { openHub } from 'rivulet'
    Promise.allSettled(['mqtt://host', 'nats://host'].map((url) => openHub(url))).then(
      (outcomes) => finish(outcomes.map(({ reason }) => reason?.code)),
      fail,
    )
  `)
  expect(await runWithWebGlobals(script)).toEqual(['INVALID_OPTIONS', 'INVALID_OPTIONS'])
})

test('a subscriber that throws has no effect where there is no console', async () => {
  const script = await bundle(`
    import { createHub } from 'rivulet'
    const hub = createHub()
    const stream = hub.stream('positions')
    let seen = 0
    stream.subscribe(() => { throw new Error('mine') })
    stream.subscribe(() => { seen += 1 })
    stream.publish({ truck: 7 })
    hub.close().then(({ listenerErrors }) => finish({ seen, listenerErrors }), fail)
  `)
  expect(await runWithWebGlobals(script)).toEqual({ seen: 1, listenerErrors: 1 })
})

test.each(['Buffer', 'process', 'require', 'console'])(
  '%s does not exist where only web globals exist',
  async (name) => {
    const script = `try { finish(${name}) } catch (error) { fail(error) }`
    await expect(runWithWebGlobals(script)).rejects.toMatchObject({
      message: expect.stringContaining(`${name} is not defined`),
    })
  },
)
