import type { Topic } from 'rivulet'
import type { Probe } from './probe.ts'
import { type CheckResult, failed, ok, refused, skipped, warning, wordsOf } from './result.ts'

/** The frame that a subscriber of that stream would receive. */
const FRAME = '{"data":{"check":true}}'

/** Two connections, and a stream for them. */
export interface PermissionScene {
  readonly sender: Probe
  readonly receiver: Probe
  readonly hub: string
  readonly topic: Topic
}

/** Checks whether the broker lets this user subscribe, publish, and watch the whole hub. */
export async function permissionResults(scene: PermissionScene): Promise<CheckResult[]> {
  const watch = await watchResult(scene)
  const subscribe = await subscribeResult(scene)
  const publish = await publishResult(scene, subscribe.state === 'ok', watch.state === 'ok')
  const { receiver, topic } = scene
  if (publish.state !== 'ok' || watch.state !== 'ok' || receiver.watched.includes(topic)) {
    return [subscribe, publish, watch]
  }
  const silent = warning('watch', 'allowed, yet nothing is heard', watchAdvice(scene.hub))
  return [subscribe, publish, silent]
}

async function subscribeResult({ receiver, topic, hub }: PermissionScene): Promise<CheckResult> {
  try {
    await receiver.transport.join(topic, receiver.step())
    return ok('subscribe', `on ${topic}`)
  } catch (error) {
    return refused(
      'subscribe',
      wordsOf(error),
      `Let this user subscribe to rivulet/${hub}/#, in the broker's own form.`,
    )
  }
}

async function publishResult(
  scene: PermissionScene,
  isJoined: boolean,
  isWatched: boolean,
): Promise<CheckResult> {
  const { sender, receiver, topic, hub } = scene
  const advice = `Let this user publish to rivulet/${hub}/#, in the broker's own form.`
  const sent = sender.transport.send(topic, FRAME)
  try {
    if (sent === 'offline') throw new Error('The connection is gone.')
    await sender.transport.flush(sender.step())
  } catch (error) {
    return failed('publish', wordsOf(sender.errors[0] ?? error), advice)
  }
  const [error] = sender.errors
  if (error !== undefined) return refused('publish', wordsOf(error), advice)
  if (!isJoined) return ok('publish', `on ${topic}, confirmed`)
  const hasArrived = () =>
    receiver.received.includes(topic) && (!isWatched || receiver.watched.includes(topic))
  await receiver.until(() => hasArrived() || receiver.errors.length > 0)
  if (receiver.received.includes(topic)) return ok('publish', `on ${topic}, confirmed and heard`)
  return refused(
    'publish',
    'confirmed, yet it did not arrive: the broker drops it in silence, at the publisher or at the subscriber',
    `${advice} The same goes for subscribing.`,
  )
}

async function watchResult({ receiver, hub }: PermissionScene): Promise<CheckResult> {
  if (!receiver.transport.capabilities.watch) {
    return skipped('watch', 'this transport cannot hear every stream of a hub')
  }
  try {
    // The watch lasts until the connection is closed.
    await receiver.transport.watch(hub, new AbortController().signal)
    return ok('watch', `on every stream of ${hub}`)
  } catch (error) {
    return warning('watch', wordsOf(error), watchAdvice(hub))
  }
}

function watchAdvice(hub: string): string {
  return `rivulet tap and record need it: let this user subscribe to rivulet/${hub}/#, in the broker's own form.`
}
