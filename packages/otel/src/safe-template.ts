import { diag } from '@opentelemetry/api'
import type { DestinationTemplate } from './attributes.ts'

/**
 * Wraps the program's hook, so that an exception or a rejection ends neither a collection nor the process. An empty
 * string, or another type than a string, is no group.
 */
export function safeTemplate(hook: DestinationTemplate): DestinationTemplate {
  return (stream) => {
    try {
      const template: unknown = hook(stream)
      if (typeof template === 'string' && template !== '') return template
      // The types allow no promise, but an async function in plain JavaScript returns one.
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
