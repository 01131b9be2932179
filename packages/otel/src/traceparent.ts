import { isSpanContextValid, type SpanContext, TraceFlags } from '@opentelemetry/api'

// W3C Trace Context, section 3.2: version, trace, parent, flags. The version ff is forbidden.
const FORM = /^(?!ff)[\da-f]{2}-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})$/

/** Writes a span's identity as a W3C `traceparent`; `undefined` when it has none. */
export function traceparentOf(context: SpanContext): string | undefined {
  if (!isSpanContextValid(context)) return undefined
  const flags = context.traceFlags & TraceFlags.SAMPLED
  return `00-${context.traceId}-${context.spanId}-0${flags}`
}

/** Reads a `traceparent`; `undefined` when it is invalid. */
export function spanContextOf(traceparent: string | undefined): SpanContext | undefined {
  const [, traceId = '', spanId = '', flags = ''] = FORM.exec(traceparent ?? '') ?? []
  const traceFlags = Number.parseInt(flags, 16) & TraceFlags.SAMPLED
  const context = { traceId, spanId, traceFlags, isRemote: true }
  return isSpanContextValid(context) ? context : undefined
}
