import type { Attributes } from '@opentelemetry/api'

/** The version of this package. */
const VERSION = '0.1.0'
/**
 * The instrumentation scope. Names of metrics and attributes follow OpenTelemetry's semantic conventions for messaging,
 * in the version of the URL. Since 1.45.0 the package `@opentelemetry/semantic-conventions` names `messaging.system`
 * `messaging.system.name`.
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
/** The hub's name; not in the conventions. */
export const HUB_NAME = 'rivulet.hub.name'

const SYSTEM: Attributes = { [SYSTEM_NAME]: 'rivulet' }
/** The attributes of a publish. Its type in the conventions is `send`. */
export const PUBLISH: Attributes = { ...SYSTEM, [OPERATION_NAME]: 'publish', [OPERATION_TYPE]: 'send' }
/** The attributes of the delivery to subscribers. */
export const PROCESS: Attributes = { ...SYSTEM, [OPERATION_NAME]: 'process', [OPERATION_TYPE]: 'process' }

/**
 * Returns the group of a stream, such as `orders/{id}` for `orders/17`; `undefined` or `''` for a stream without one.
 * Keep the number of groups small: each has its own time series.
 */
export type DestinationTemplate = (stream: string) => string | undefined

/** Returns the attributes of a group of streams; none without a group. */
export function templateAttributes(template: string | undefined): Attributes {
  return template === undefined ? {} : { [DESTINATION_TEMPLATE]: template }
}
