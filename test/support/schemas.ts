import type { StandardSchemaV1 } from '@standard-schema/spec'

/** A hand-made Standard Schema with that validator. */
export function schemaOf<Out = unknown>(
  validate: (value: unknown) => unknown,
): StandardSchemaV1<object, Out> {
  const call = validate as StandardSchemaV1<object, Out>['~standard']['validate']
  return { '~standard': { version: 1, vendor: 'test', validate: call } }
}
