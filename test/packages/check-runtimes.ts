import assert from 'node:assert/strict'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { build } from 'esbuild'
import { execa, type ResultPromise } from 'execa'
import { freePort } from '../support/free-port.ts'
import type { CheckList } from './check-list.ts'
import { expectOutput } from './check-together.ts'
import { EmptyProject } from './empty-project.ts'
import type { PackedPackage } from './packed-package.ts'

const PACKAGES = ['rivulet', '@rivulet/gateway', '@rivulet/twilio', '@rivulet/websocket']
const THREADS = ['@rivulet/threads']
const RUNTIMES = ['deno@^2', 'bun@^1', 'workerd@^1']
const PROGRAM = 'gateway.mjs'
/** The same with a relay, for runtimes whose `fetch` can make a WebSocket of a request. */
const PAGES_PROGRAM = 'gateway-with-pages.mjs'
const PAGE = 'page.mjs'
const BUN_PROGRAM = `
  import { bunWebSocket } from '@rivulet/gateway'
  import gateway from './${PAGES_PROGRAM}'
  const { fetch } = gateway
  Bun.serve({ hostname: '127.0.0.1', port: Number(process.argv[2]), fetch, websocket: bunWebSocket })`
const DENO_PROGRAM = `
  import { serve } from '@rivulet/gateway'
  import gateway from './${PAGES_PROGRAM}'
  await serve(gateway, { port: Number(process.argv[2]) })`
const START_TIMEOUT_MS = 60_000
const PAGE_TIMEOUT_MS = 60_000
const POLL_MS = 50
const AUTHORIZATION = `Basic ${btoa(`SK${'b'.repeat(32)}:a secret of 32 characters or more`)}`

/** Serves the gateway by runtimes that are not Node, and asks each over HTTP. */
export async function checkRuntimes(
  list: CheckList,
  packages: readonly PackedPackage[],
  folder: string,
): Promise<void> {
  const project = new EmptyProject(folder)
  const tarballs = packages
    .filter(({ name }) => [...PACKAGES, ...THREADS].includes(name))
    .map(({ tarball }) => tarball)
  const isInstalled = await list.check('the gateway installs beside other runtimes', async () => {
    await project.install([...tarballs, ...RUNTIMES])
    for (const program of [PROGRAM, PAGES_PROGRAM, PAGE]) await project.add(program)
    return undefined
  })
  if (!isInstalled) return
  await list.check('Deno serves the gateway, and pages in Deno meet there', () =>
    checkServed(project, 'deno', {
      args: (port) => ['serve', '--allow-all', '--host=127.0.0.1', `--port=${port}`, PAGES_PROGRAM],
      page: ['run', '--allow-all', PAGE],
    }),
  )
  await list.check('Deno serves the gateway as Node does, and pages in Deno meet there', async () => {
    await project.write('served-as-in-node.mjs', DENO_PROGRAM)
    return checkServed(project, 'deno', {
      args: (port) => ['run', '--allow-all', 'served-as-in-node.mjs', `${port}`],
      page: ['run', '--allow-all', PAGE],
    })
  })
  await list.check('Bun serves the gateway, and pages in Bun meet there', async () => {
    await project.write('served.mjs', BUN_PROGRAM)
    return checkServed(project, 'bun', { args: (port) => ['served.mjs', `${port}`], page: [PAGE] })
  })
  await checkThreads(list, project)
  await list.check('a worker serves the gateway, without anything of Node', async () => {
    await bundleWorker(project)
    return checkServed(project, 'workerd', {
      args: (port) => ['serve', 'worker.capnp', `--socket-addr=http=127.0.0.1:${port}`],
    })
  })
}

/** What becomes of 1 000 posts to a blocked worker: Deno keeps the last 256, and Bun all. */
const BLOCKED = {
  deno: { confirmed: 0, unconfirmed: 1000, errors: ['TRANSPORT_FAILED'] },
  bun: { delivered: 1000, missed: 0, confirmed: 1000, unconfirmed: 0, errors: [] },
}

/** Has a main thread and a worker of one program exchange messages, and publish to a worker that is blocked. */
async function checkThreads(list: CheckList, project: EmptyProject): Promise<void> {
  const programs = ['threads.mjs', 'threads-worker.mjs', 'threads-blocked.mjs', 'threads-blocked-worker.mjs']
  for (const program of programs) await project.add(program)
  for (const [name, ...args] of [['deno', 'run', '--allow-all'], ['bun']] as const) {
    const run = async (file: string) => {
      const program = join(project.folder, 'node_modules/.bin', name)
      const options = { cwd: project.folder, env: { NO_COLOR: '1', DENO_NO_UPDATE_CHECK: '1' } }
      return (await execa(program, [...args, file], { ...options, timeout: START_TIMEOUT_MS })).stdout
    }
    await list.check(`a main thread and a worker meet over threads: in ${name}`, async () =>
      expectOutput(await run('threads.mjs'), { heard: 2000, inOrder: true, confirmed: 2000, missed: 0 }),
    )
    await list.check(`what a blocked worker does not get is not confirmed in ${name}`, async () => {
      const outcome = JSON.parse(await run('threads-blocked.mjs'))
      assert.deepEqual({ ...outcome, ...BLOCKED[name] }, outcome)
      return `${outcome.delivered} of 1000 delivered`
    })
  }
}

async function bundleWorker(project: EmptyProject): Promise<void> {
  await build({
    entryPoints: [join(project.folder, PROGRAM)],
    outfile: join(project.folder, 'worker.js'),
    bundle: true,
    format: 'esm',
    platform: 'browser',
    // What a worker never comes to: files of the page, Node's server, the registry in NATS.
    external: ['node:*', '@nats-io/*'],
    logLevel: 'silent',
  })
  await project.write(
    'worker.capnp',
    `using Workerd = import "/workerd/workerd.capnp";
const worker :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js")],
  compatibilityDate = "2025-01-01",
);
const config :Workerd.Config = (
  services = [(name = "gateway", worker = .worker)],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "gateway")],
);
`,
  )
}

interface Serving {
  /** What serves the gateway. */
  readonly args: (port: number) => string[]
  /** What runs the hubs of two pages, where pages are served. */
  readonly page?: readonly string[]
}

async function checkServed(project: EmptyProject, runtime: string, { args, page }: Serving): Promise<string> {
  const program = join(project.folder, 'node_modules/.bin', runtime)
  const { stdout } = await execa(program, ['--version'])
  const port = await freePort()
  const server = execa(program, args(port), {
    cwd: project.folder,
    env: { NO_COLOR: '1', DENO_NO_UPDATE_CHECK: '1' },
    reject: false,
    all: true,
    // A runtime's command may be a script that starts it.
    detached: true,
  })
  try {
    await ask(`http://127.0.0.1:${port}`, server)
    if (page !== undefined) {
      const url = `ws://127.0.0.1:${port}/rivulet`
      await execa(program, [...page, url], { cwd: project.folder, timeout: PAGE_TIMEOUT_MS })
    }
  } finally {
    if (server.pid !== undefined) process.kill(-server.pid, 'SIGKILL')
    await server
  }
  return stdout.split('\n')[0] ?? ''
}

/** Creates a stream, listens to it, publishes to it, and asks for one that there isn't. */
async function ask(url: string, server: ResultPromise): Promise<void> {
  const streams = `${url}/v1/Services/default/Streams`
  const headers = { authorization: AUTHORIZATION }
  const post = (target: string, form: Record<string, string>) =>
    fetch(target, { method: 'POST', headers, body: new URLSearchParams(form) })
  await answers(`${url}/healthz`, server)
  assert.equal((await post(streams, { UniqueName: 'positions' })).status, 201)
  const listening = await fetch(`${streams}/positions/Messages`, {
    headers: { ...headers, accept: 'text/event-stream' },
  })
  assert.equal(listening.status, 200)
  const published = await post(`${streams}/positions/Messages`, { Data: '{"truck":7}' })
  const { sid } = (await published.json()) as { sid: string }
  assert.match(await textUntil(listening, '{"truck":7}'), new RegExp(`id: ${sid}\nevent: messagePublished\n`))
  const missing = await fetch(`${streams}/nowhere`, { headers })
  assert.equal(((await missing.json()) as { code: number }).code, 20404)
}

async function answers(url: string, server: ResultPromise): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS
  for (;;) {
    if (await fetch(url).catch(() => undefined)) return
    if (server.exitCode !== null) throw new Error(`It ended at once:\n${(await server).all}`)
    if (performance.now() > deadline) throw new Error('It takes no connections.')
    await sleep(POLL_MS)
  }
}

async function textUntil({ body }: Response, end: string): Promise<string> {
  const text = new TextDecoder()
  let read = ''
  for await (const chunk of body ?? []) {
    read += text.decode(chunk, { stream: true })
    if (read.includes(end)) return read
  }
  throw new Error(`The listening ended without ${end}: ${read}`)
}
