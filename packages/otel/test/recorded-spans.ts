import { context, SpanKind, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base'

/** A span as plain data, which a process can print. */
export interface PlainSpan {
  readonly name: string
  readonly kind: string
  readonly traceId: string
  readonly spanId: string
  readonly parentId: string | undefined
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[]
  readonly attributes: Readonly<Record<string, unknown>>
  readonly status: { readonly code: number; readonly message?: string }
}

/** The SDK for spans, with an exporter in memory. */
export class RecordedSpans {
  readonly #exporter = new InMemorySpanExporter()
  readonly provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(this.#exporter)] })

  /** All ended spans, in order of their end. */
  get spans(): PlainSpan[] {
    return this.#exporter.getFinishedSpans().map(plain)
  }

  /** The only span of that name. Throws when there are others. */
  only(name: string): PlainSpan {
    const found = this.spans.filter((span) => span.name === name)
    if (found.length !== 1)
      throw new Error(`${found.length} spans of the name ${name}: ${JSON.stringify(this.spans)}`)
    return found[0] as PlainSpan
  }
}

/** Makes `context.with` work, as an SDK does. Returns a function that undoes it. */
export function enableContexts(): () => void {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  return () => {
    context.disable()
    trace.disable()
  }
}

function plain(span: ReadableSpan): PlainSpan {
  const { traceId, spanId } = span.spanContext()
  return {
    name: span.name,
    kind: SpanKind[span.kind],
    traceId,
    spanId,
    parentId: span.parentSpanContext?.spanId,
    links: span.links.map(({ context: { traceId, spanId } }) => ({ traceId, spanId })),
    attributes: span.attributes,
    status: span.status,
  }
}
