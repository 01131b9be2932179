import { setTimeout as sleep } from 'node:timers/promises'
import type { Hub, Message, Stream } from 'rivulet'

const PATIENCE_MS = 20_000

/** Two hubs, as two processes would have them. */
export interface Pair {
  readonly west: Hub
  readonly east: Hub
}

/** One part of the scenario: it gives what it saw. */
export type Act = (pair: Pair, url: string) => Promise<unknown>

/** Opens a stream on both hubs with a subscriber each, and waits until both are joined. */
export async function both({ west, east }: Pair, name: string) {
  const streams = { west: west.stream(name), east: east.stream(name) }
  const heard = { west: await listen(streams.west), east: await listen(streams.east) }
  return { ...streams, heard }
}

/** Subscribes, waits until it reaches beyond its process, and gives what will come, in order. */
export async function listen<In extends object, Out>(stream: Stream<In, Out>): Promise<Message<Out>[]> {
  const heard: Message<Out>[] = []
  await stream.subscribe((message) => heard.push(message)).ready
  return heard
}

/** The bare values of messages. */
export function dataOf(messages: readonly Message[]): unknown[] {
  return messages.map(({ data }) => data)
}

/** Tells what became of a `tryPublish`: `ok`, or the code of the refusal. */
export function outcomeOf(
  result: { readonly ok: true } | { readonly ok: false; readonly code: string },
): string {
  return result.ok ? 'ok' : result.code
}

/** Waits until something is so. */
export async function until(isSo: () => boolean): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS
  while (!isSo()) {
    if (performance.now() > deadline) throw new Error(`Not within ${PATIENCE_MS} ms: ${isSo}`)
    await sleep(5)
  }
}
