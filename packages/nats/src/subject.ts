import type { Topic } from 'rivulet'

// The parts of a topic are percent-encoded and hold neither `/` nor `.`, so the two swap without loss.

/** Gives the subject that carries a topic. `prefix` is empty or ends in a dot. */
export function subjectOf(topic: Topic, prefix: string): string {
  return prefix + topic.replaceAll('/', '.')
}

/** Gives the topic that a subject carries, which begins with the prefix. */
export function topicOf(subject: string, prefix: string): Topic {
  return subject.slice(prefix.length).replaceAll('.', '/') as Topic
}
