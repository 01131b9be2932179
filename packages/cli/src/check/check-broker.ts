import { randomBytes } from 'node:crypto'
import { type Hub, RivuletError, type Topic } from 'rivulet'
import { EXIT, type ExitCode, exitCodeOf } from '../base/exit-code.ts'
import { openAt, type Patience } from '../connection/open-at.ts'
import type { Place } from '../connection/place.ts'
import { allowanceResults } from './allowances.ts'
import { clockResult } from './clock.ts'
import { contractResults } from './contract-smoke.ts'
import { permissionResults } from './permissions.ts'
import { Probe, topicOf } from './probe.ts'
import { type CheckResult, failed, ok, refused, skipped, wordsOf } from './result.ts'
import { roundTripResult } from './round-trip.ts'

/** Options of a check. */
export interface BrokerCheck {
  readonly place: Place
  /** The stream to publish one message on; a new name if undefined. */
  readonly stream: string | undefined
  /** Whether to compare the clock of another machine, which answers. */
  readonly isPeer: boolean
  /** Whether to run the checks of the transports' contract. */
  readonly hasContract: boolean
}

type Add = (result: CheckResult) => void

/**
 * Checks whether a broker does all that Rivulet needs, and calls `add` with each result when it is known. Resolves to
 * the exit code. Rejects when the options are invalid, and when the signal aborts.
 */
export async function checkBroker(check: BrokerCheck, patience: Patience, add: Add): Promise<ExitCode> {
  const { signal } = patience
  const stream = check.stream ?? `rivulet-check-${randomBytes(6).toString('hex')}`
  // Reports an invalid name before opening anything.
  topicOf('default', stream)
  let hub: Hub
  try {
    hub = await openAt(check.place, patience)
  } catch (error) {
    if (signal.aborted || !RivuletError.is(error) || !NOT_CONNECTED.includes(error.code)) throw error
    add(connectionResult(error))
    return exitCodeOf(error)
  }
  // Refusals are reported as results of the check.
  hub.on('error', () => {})
  const results: CheckResult[] = []
  const addOne = (result: CheckResult) => {
    signal.throwIfAborted()
    results.push(result)
    add(result)
  }
  addOne(ok('connection', `${placeWords(check.place.urls)}, hub ${hub.name}`))
  try {
    await checkInHub(check, hub, topicOf(hub.name, stream), { signal, add: addOne })
  } catch (error) {
    if (signal.aborted) throw error
    addOne(failed('check', wordsOf(error), 'It could not go on; check the log of the broker, and try again.'))
  } finally {
    await hub.close()
  }
  if (results.some(({ isRefused }) => isRefused)) return EXIT.refused
  return results.some(({ state }) => state === 'failed') ? EXIT.failed : EXIT.fine
}

const NOT_CONNECTED: readonly string[] = ['TRANSPORT_UNAVAILABLE', 'TRANSPORT_FAILED']

function connectionResult({ code, message }: RivuletError): CheckResult {
  if (code === 'TRANSPORT_FAILED') {
    return refused('connection', message, 'Check the user, the password or token, and the certificates.')
  }
  return failed('connection', message, 'Try it from the machine itself, and check for a firewall in between.')
}

interface Progress {
  readonly signal: AbortSignal
  readonly add: Add
}

async function checkInHub(
  check: BrokerCheck,
  hub: Hub,
  topic: Topic,
  { signal, add }: Progress,
): Promise<void> {
  const { place, isPeer, hasContract } = check
  const { urls } = place
  const sender = await Probe.open(urls, hub.name, signal)
  const permissions = await checkConnections(sender, { hub: hub.name, topic, urls, signal, add }).finally(
    () => sender.close(),
  )
  const isAllowed = (name: string) => permissions.find((result) => result.name === name)?.state === 'ok'
  const mayTalk = isAllowed('subscribe') && isAllowed('publish')
  const isAlone = sender.transport.capabilities.scope === 'process'
  if (!mayTalk) add(skipped('clock', 'it needs to publish and to subscribe'))
  else if (isAlone) add(skipped('clock', 'frames stay in this process, so there is one clock'))
  else add(await clockResult({ hub, urls, isPeer, signal }))
  if (!hasContract) return
  if (!mayTalk) return add(skipped('contract', 'it needs to publish and to subscribe'))
  const scene = { urls, hub: hub.name, canWatch: isAllowed('watch'), signal }
  for (const result of await contractResults(scene)) add(result)
}

interface ProbeScene extends Progress {
  readonly hub: string
  readonly topic: Topic
  readonly urls: readonly string[]
}

/** Checks one connection, then the permissions with a second one; resolves to the results for the permissions. */
async function checkConnections(
  sender: Probe,
  { hub, topic, urls, signal, add }: ProbeScene,
): Promise<CheckResult[]> {
  add(await roundTripResult(sender))
  for (const result of allowanceResults(sender, topic, urls)) add(result)
  const receiver = await Probe.open(urls, hub, signal)
  const scene = { sender, receiver, hub, topic }
  const permissions = await permissionResults(scene).finally(() => receiver.close())
  for (const result of permissions) add(result)
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
