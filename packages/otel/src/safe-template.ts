import { diag } from '@opentelemetry/api'
import type { DestinationTemplate } from './attributes.ts'

/**
 * Wraps a hook of the program: one that throws or rejects must not end a collection, or the process. What is no text, or
 * an empty one, is no group.
 */
export function safeTemplate(hook: DestinationTemplate): DestinationTemplate {
  return (stream) => {
    try {
      const template: unknown = hook(stream)
      if (typeof template === 'string' && template !== '') return template
      // The types allow no promise, but an async function in plain JavaScript gives one.
      if (typeof template === 'object') Promise.resolve(template).catch(report)
    } catch (error) {
      report(error)
    }
    return undefined
  }
}

function report(error: unknown): void {
  diag.error('destinationTemplate of @rivulet/otel failed', error)
}
