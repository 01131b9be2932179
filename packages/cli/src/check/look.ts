import { randomBytes } from 'node:crypto'
import { type Hub, RivuletError, type Topic } from 'rivulet'
import { EXIT, type ExitCode, exitCodeOf } from '../base/exit-code.ts'
import { openAt, type Patience } from '../connection/open-at.ts'
import type { Place } from '../connection/place.ts'
import { allowancePoints } from './allowances.ts'
import { clockPoint } from './clock.ts'
import { contractPoints } from './contract-smoke.ts'
import { permissionPoints } from './permissions.ts'
import { failed, leftOut, ok, type Point, refused, wordsOf } from './point.ts'
import { Probe, topicOf } from './probe.ts'
import { roundTripPoint } from './round-trip.ts'

/** Options of a check. */
export interface Look {
  readonly place: Place
  /** The stream to publish one message on; a new name without it. */
  readonly stream: string | undefined
  /** Whether the clock of another machine is compared, that answers. */
  readonly isPeer: boolean
  /** Whether the checks of the transports' contract are run. */
  readonly hasContract: boolean
}

type Add = (point: Point) => void

/**
 * Looks whether a broker does all that Rivulet needs, and gives `add` each point as it is known. Resolves to the exit
 * code. Rejects when the options are wrong, and when the signal aborts.
 */
export async function lookAtBroker(look: Look, patience: Patience, add: Add): Promise<ExitCode> {
  const { signal } = patience
  const stream = look.stream ?? `rivulet-check-${randomBytes(6).toString('hex')}`
  // What is wrong with the name is said before anything is opened.
  topicOf('default', stream)
  let hub: Hub
  try {
    hub = await openAt(look.place, patience)
  } catch (error) {
    if (signal.aborted || !RivuletError.is(error) || !NOT_CONNECTED.includes(error.code)) throw error
    add(connectionPoint(error))
    return exitCodeOf(error)
  }
  // Refusals are points of the check.
  hub.on('error', () => {})
  const points: Point[] = []
  const addOne = (point: Point) => {
    signal.throwIfAborted()
    points.push(point)
    add(point)
  }
  addOne(ok('connection', `${placeWords(look.place.urls)}, hub ${hub.name}`))
  try {
    await lookInside(look, hub, topicOf(hub.name, stream), { signal, add: addOne })
  } catch (error) {
    if (signal.aborted) throw error
    addOne(
      failed('check', wordsOf(error), 'It could not go on; look at the log of the broker, and try again.'),
    )
  } finally {
    await hub.close()
  }
  if (points.some(({ isRefused }) => isRefused)) return EXIT.refused
  return points.some(({ state }) => state === 'failed') ? EXIT.failed : EXIT.fine
}

const NOT_CONNECTED: readonly string[] = ['TRANSPORT_UNAVAILABLE', 'TRANSPORT_FAILED']

function connectionPoint({ code, message }: RivuletError): Point {
  if (code === 'TRANSPORT_FAILED') {
    return refused('connection', message, 'Check the user, the password or token, and the certificates.')
  }
  return failed('connection', message, 'Try it from the machine itself, and look for a firewall in between.')
}

interface Progress {
  readonly signal: AbortSignal
  readonly add: Add
}

async function lookInside(look: Look, hub: Hub, topic: Topic, { signal, add }: Progress): Promise<void> {
  const { place, isPeer, hasContract } = look
  const { urls } = place
  const sender = await Probe.open(urls, hub.name, signal)
  const permissions = await lookWith(sender, { hub: hub.name, topic, urls, signal, add }).finally(() =>
    sender.close(),
  )
  const isAllowed = (name: string) => permissions.find((point) => point.name === name)?.state === 'ok'
  const mayTalk = isAllowed('subscribe') && isAllowed('publish')
  const isAlone = sender.transport.capabilities.scope === 'process'
  if (!mayTalk) add(leftOut('clock', 'it needs to publish and to subscribe'))
  else if (isAlone) add(leftOut('clock', 'frames stay in this process, so there is one clock'))
  else add(await clockPoint({ hub, urls, isPeer, signal }))
  if (!hasContract) return
  if (!mayTalk) return add(leftOut('contract', 'it needs to publish and to subscribe'))
  const scene = { urls, hub: hub.name, canWatch: isAllowed('watch'), signal }
  for (const point of await contractPoints(scene)) add(point)
}

interface ProbeScene extends Progress {
  readonly hub: string
  readonly topic: Topic
  readonly urls: readonly string[]
}

/** Checks one connection, then the permissions with a second one; resolves to the points of the permissions. */
async function lookWith(sender: Probe, { hub, topic, urls, signal, add }: ProbeScene): Promise<Point[]> {
  add(await roundTripPoint(sender))
  for (const point of allowancePoints(sender, topic, urls)) add(point)
  const receiver = await Probe.open(urls, hub, signal)
  const scene = { sender, receiver, hub, topic }
  const permissions = await permissionPoints(scene).finally(() => receiver.close())
  for (const point of permissions) add(point)
  return permissions
}

/** Names brokers without the users and secrets in their URLs. */
export function placeWords(urls: readonly string[]): string {
  return urls.map(withoutSecrets).join(' ')
}

function withoutSecrets(url: string): string {
  if (!URL.canParse(url)) return url.slice(0, url.indexOf(':') + 1)
  const { protocol, host, pathname } = new URL(url)
  return host === '' ? `${protocol}${pathname}` : `${protocol}//${host}`
}
