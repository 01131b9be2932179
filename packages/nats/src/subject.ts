import type { Topic } from 'rivulet'

// The parts of a topic are percent-encoded and contain neither `/` nor `.`, so the two can be swapped without loss.

/** Returns the subject of a topic. `prefix` is empty or ends in a dot. */
export function subjectOf(topic: Topic, prefix: string): string {
  return prefix + topic.replaceAll('/', '.')
}

/** Returns the topic of a subject, which begins with the prefix. */
export function topicOf(subject: string, prefix: string): Topic {
  return subject.slice(prefix.length).replaceAll('.', '/') as Topic
}
