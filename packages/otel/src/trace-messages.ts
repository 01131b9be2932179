import { tracingChannel } from 'node:diagnostics_channel'
import {
  type Attributes,
  type Context,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  type SpanOptions,
  SpanStatusCode,
  type Tracer,
  type TracerProvider,
  trace,
} from '@opentelemetry/api'
import { type Message, RivuletError } from 'rivulet'
import { checkOptions, functionForm, objectForm, type Rules } from 'rivulet/adapter'
import {
  DESTINATION_NAME,
  type DestinationTemplate,
  ERROR_TYPE,
  HUB_NAME,
  MESSAGE_ID,
  OPERATION_NAME,
  PROCESS,
  PUBLISH,
  SCOPE,
  templateAttributes,
} from './attributes.ts'
import { type Delivery, PROCESS_CHANNEL, PUBLISH_CHANNEL, type PublishAttempt } from './channels.ts'
import { safeTemplate } from './safe-template.ts'
import { spanContextOf, traceparentOf } from './traceparent.ts'

/** Options of `traceMessages`. */
export interface TraceOptions {
  /** The provider of the spans. @default the global one, `trace.getTracerProvider()` */
  readonly tracerProvider?: TracerProvider | undefined
  /** Returns the second word of the spans' names: `publish orders/{id}`. @default none, to keep cardinality low */
  readonly destinationTemplate?: DestinationTemplate | undefined
}

/** The spans that `traceMessages` makes. */
export interface MessageTracing {
  /**
   * Returns the context of a message's span `process`, as the parent of spans of a subscriber's work:
   * `context.with(tracing.contextOf(message), work)`. The root context for a message without such a span.
   */
  contextOf(message: Message): Context
  /** Stops making spans, and ends open ones. May be called again. */
  stop(): void
}

const RULES: Rules<TraceOptions> = {
  tracerProvider: objectForm('a TracerProvider of OpenTelemetry'),
  destinationTemplate: functionForm,
}

/**
 * Makes spans for the messages of all hubs in this process: one for each attempt to publish, one for each delivery to
 * a stream's subscribers. The message carries the identity of the publish span, also between processes: the span of a
 * delivery is its child in the same process, and linked to it in another one. Throws `INVALID_OPTIONS`.
 */
export function traceMessages(options: TraceOptions = {}): MessageTracing {
  const checked = checkOptions('traceMessages', options, RULES)
  const { tracerProvider = trace.getTracerProvider(), destinationTemplate } = checked
  const tracer = tracerProvider.getTracer(...SCOPE)
  return new ChannelTracing(tracer, safeTemplate(destinationTemplate ?? (() => undefined)))
}

class ChannelTracing implements MessageTracing {
  readonly #tracer: Tracer
  readonly #template: DestinationTemplate
  /** Open spans, keyed by their channel's event. Few: an attempt and a delivery end before they return. */
  readonly #open = new Map<object, Span>()
  readonly #contexts = new WeakMap<Message, Context>()
  readonly #unsubscribe: readonly (() => void)[]

  constructor(tracer: Tracer, template: DestinationTemplate) {
    this.#tracer = tracer
    this.#template = template
    this.#unsubscribe = [
      listen<PublishAttempt>(PUBLISH_CHANNEL, {
        start: (attempt) => this.#publish(attempt),
        error: (attempt) => this.#refuse(attempt),
        end: (attempt) => this.#end(attempt, attempt.message),
      }),
      listen<Delivery>(PROCESS_CHANNEL, {
        start: (delivery) => this.#process(delivery),
        end: (delivery) => this.#end(delivery),
      }),
    ]
  }

  contextOf(message: Message): Context {
    return this.#contexts.get(message) ?? ROOT_CONTEXT
  }

  stop(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe()
    for (const span of this.#open.values()) span.end()
    this.#open.clear()
  }

  #publish(attempt: PublishAttempt): void {
    const span = this.#start(attempt, PUBLISH, { kind: SpanKind.PRODUCER })
    // Keeps the traceparent of another subscriber.
    if (attempt.traceparent !== undefined) return
    const traceparent = traceparentOf(span.spanContext())
    if (traceparent !== undefined) attempt.traceparent = traceparent
  }

  #refuse(attempt: PublishAttempt): void {
    const span = this.#open.get(attempt)
    if (span === undefined) return
    const { error } = attempt
    const code = RivuletError.is(error) ? error.code : '_OTHER'
    span.setAttribute(ERROR_TYPE, code)
    span.setStatus({ code: SpanStatusCode.ERROR, message: RivuletError.is(error) ? error.message : code })
  }

  /** Begins a delivery's span, never in the active context: a message from the network belongs to no local request. */
  #process(delivery: Delivery): void {
    const { message, traceparent } = delivery
    const creation = spanContextOf(traceparent)
    const options = { kind: SpanKind.CONSUMER, attributes: { [MESSAGE_ID]: message.sid } }
    const isChild = message.isLocal && creation !== undefined
    const parent = isChild
      ? trace.setSpanContext(ROOT_CONTEXT, { ...creation, isRemote: false })
      : ROOT_CONTEXT
    const links = isChild || creation === undefined ? [] : [{ context: creation }]
    const span = this.#start(delivery, PROCESS, { ...options, links }, parent)
    this.#contexts.set(message, trace.setSpan(ROOT_CONTEXT, span))
  }

  #start(
    carried: PublishAttempt | Delivery,
    operation: Attributes,
    options: SpanOptions,
    parent?: Context,
  ): Span {
    const { hub, stream } = carried
    const template = this.#template(stream)
    const attributes = {
      ...operation,
      ...options.attributes,
      [HUB_NAME]: hub,
      [DESTINATION_NAME]: stream,
      ...templateAttributes(template),
    }
    const verb = String(operation[OPERATION_NAME])
    const name = template === undefined ? verb : `${verb} ${template}`
    const span = this.#tracer.startSpan(name, { ...options, attributes }, parent)
    this.#open.set(carried, span)
    return span
  }

  #end(carried: object, message?: Message): void {
    const span = this.#open.get(carried)
    if (message !== undefined) span?.setAttribute(MESSAGE_ID, message.sid)
    span?.end()
    this.#open.delete(carried)
  }
}

interface Handlers<Carried> {
  readonly start: (carried: Carried) => void
  readonly end: (carried: Carried) => void
  readonly error?: (carried: Carried) => void
}

/** Listens to the synchronous events of a tracing channel; returns a function that stops it. */
function listen<Carried extends object>(name: string, { start, end, error }: Handlers<Carried>): () => void {
  const channel = tracingChannel<unknown, Carried>(name)
  const subscribers = { start, end, ...(error && { error }) } as Parameters<typeof channel.subscribe>[0]
  channel.subscribe(subscribers)
  return () => channel.unsubscribe(subscribers)
}
