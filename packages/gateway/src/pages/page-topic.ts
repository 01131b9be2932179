import type { Topic } from 'rivulet'
import { hubNameOf, readTopic, streamNameOf } from 'rivulet/adapter'

/** A topic that a page named, once it is known to be one of its hub. */
export interface PageTopic {
  readonly topic: Topic
  readonly streamName: string
}

/** Reads a topic that a page named; `undefined` when it is none, or one of another hub. */
export function readPageTopic(text: string, hub: string): PageTopic | undefined {
  const topic = readTopic(text)
  if (topic === undefined || hubNameOf(topic) !== hub) return undefined
  return { topic, streamName: streamNameOf(topic) }
}
