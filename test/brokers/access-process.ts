// Run as a process of its own: `refused <url>` tries to open a hub that the broker refuses; `close <url>` opens one,
// publishes, and closes it when told to, however the broker fares; `heedless <url>` does so too and listens to no
// error. All end only if nothing keeps them alive.
import { once } from 'node:events'
import { createHub, type Hub, loadTransport, openHub, RivuletError } from 'rivulet'

const [act, url = ''] = process.argv.slice(2)

if (act === 'refused') await refused()
else if (act === 'heedless') await heedless()
else await close()
process.stdin.destroy()

async function refused(): Promise<void> {
  const before = resources()
  const opening = await rejection(() => openHub(url))
  const hub = createHub({ transport: await loadTransport(url) })
  const errors: string[] = []
  hub.on('error', (error) => errors.push(RivuletError.is(error) ? error.code : 'unknown'))
  const waiting = await rejection(() => hub.ready())
  // The refusal stands: who asks later is told at once.
  const later = await rejection(() => hub.ready())
  const { status } = hub
  await hub.close()
  for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate)
  console.log(
    `refused ${JSON.stringify({ opening, waiting, later, status, errors, before, after: resources() })}`,
  )
}

async function close(): Promise<void> {
  const hub = createHub({ transport: await loadTransport(url) })
  hub.on('error', () => {})
  hub.on('status', (status) => console.log(status))
  await publishUntilTold(hub)
}

async function heedless(): Promise<void> {
  const transport = await loadTransport(url)
  const open = transport.open.bind(transport)
  let rises = 0
  let failures = 0
  transport.open = (host, signal) => {
    const opening = open(host, signal)
    opening.catch(() => console.log(`failed ${++failures} since rise ${rises}`))
    return opening
  }
  const hub = createHub({ transport })
  hub.on('status', (status) => {
    if (status !== 'up') return
    failures = 0
    console.log(`rise ${++rises}`)
  })
  await publishUntilTold(hub)
}

async function publishUntilTold(hub: Hub): Promise<void> {
  const stream = hub.stream('close', { limit: false })
  stream.subscribe(() => {})
  const publishing = setInterval(() => stream.publish({ text: 'x'.repeat(1000) }), 20)
  console.log('started')
  await once(process.stdin, 'data')
  clearInterval(publishing)
  console.log(`result ${JSON.stringify({ ledger: await hub.close() })}`)
}

async function rejection(run: () => Promise<unknown>) {
  try {
    await run()
    return { code: 'none' }
  } catch (error) {
    const { code, message } = error as RivuletError
    return { code, message }
  }
}

function resources(): string[] {
  return process
    .getActiveResourcesInfo()
    .filter((kind) => /TCP|TLS|Timeout|Immediate/.test(kind))
    .sort()
}
