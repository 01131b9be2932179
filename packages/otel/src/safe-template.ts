import { diag } from '@opentelemetry/api'
import type { DestinationTemplate } from './attributes.ts'

/** Wraps a hook of the program: one that throws must not end a collection, or the process in a channel. */
export function safeTemplate(hook: DestinationTemplate): DestinationTemplate {
  return (stream) => {
    try {
      const template: unknown = hook(stream)
      return typeof template === 'string' ? template : undefined
    } catch (error) {
      diag.error('destinationTemplate of @rivulet/otel threw', error)
      return undefined
    }
  }
}
