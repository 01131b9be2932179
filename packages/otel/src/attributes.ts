import type { Attributes } from '@opentelemetry/api'

/** The version of this package. */
const VERSION = '0.1.0'
/**
 * The instrumentation scope. Names of metrics and attributes follow OpenTelemetry's semantic conventions of the version
 * in the URL, here those for messaging: the package `@opentelemetry/semantic-conventions`, where since 1.45.0
 * `messaging.system` is called `messaging.system.name`.
 */
export const SCOPE = [
  '@rivulet/otel',
  VERSION,
  { schemaUrl: 'https://opentelemetry.io/schemas/1.45.0' },
] as const

export const SYSTEM_NAME = 'messaging.system.name'
export const OPERATION_NAME = 'messaging.operation.name'
export const OPERATION_TYPE = 'messaging.operation.type'
export const DESTINATION_NAME = 'messaging.destination.name'
export const DESTINATION_TEMPLATE = 'messaging.destination.template'
export const MESSAGE_ID = 'messaging.message.id'
export const ERROR_TYPE = 'error.type'
/** Not in the conventions: the hub's name. */
export const HUB_NAME = 'rivulet.hub.name'

const SYSTEM: Attributes = { [SYSTEM_NAME]: 'rivulet' }
/** What a publish is called. Its type in the conventions is `send`. */
export const PUBLISH: Attributes = { ...SYSTEM, [OPERATION_NAME]: 'publish', [OPERATION_TYPE]: 'send' }
/** What the delivery to subscribers is called. */
export const PROCESS: Attributes = { ...SYSTEM, [OPERATION_NAME]: 'process', [OPERATION_TYPE]: 'process' }

/**
 * Names the group that a stream belongs to, such as `orders/{id}` for `orders/17`, or gives `undefined` or `''` for a
 * stream without one. There must be few groups: each has time series of its own.
 */
export type DestinationTemplate = (stream: string) => string | undefined

/** Gives the attributes that name a group of streams, if it is one. */
export function templateAttributes(template: string | undefined): Attributes {
  return template === undefined ? {} : { [DESTINATION_TEMPLATE]: template }
}
