import type { Topic } from 'rivulet'

// The parts of a topic are percent-encoded and hold neither `/` nor `.`, so the two swap without loss.

/** Gives the subject that carries a topic. `prefix` is empty or ends in a dot. */
export function subjectOf(topic: Topic, prefix: string): string {
  return prefix + topic.replaceAll('/', '.')
}

/** Gives the topic that a subject carries, or `undefined` for a subject that is not of this prefix. */
export function topicOf(subject: string, prefix: string): Topic | undefined {
  if (!subject.startsWith(`${prefix}rivulet.`)) return undefined
  return subject.slice(prefix.length).replaceAll('.', '/') as Topic
}
