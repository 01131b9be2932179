import { readFileSync } from 'node:fs'
import { Ajv, type AnySchemaObject, type ErrorObject } from 'ajv'
import { Ajv2019 } from 'ajv/dist/2019.js'
import { Ajv2020 } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import type { StreamOptions } from 'rivulet'
import { CommandError, EXIT } from '../base/exit-code.ts'

/** A validator in the form that streams accept. */
export type Schema = NonNullable<StreamOptions['schema']>

/** Makes a validator from a JSON Schema file: draft 7, 2019-09 or 2020-12 by its `$schema`, else draft 7. */
export function schemaOf(file: string): Schema {
  const validate = compile(file)
  return {
    '~standard': {
      version: 1,
      vendor: 'rivulet-cli',
      validate: (value) =>
        validate(value) ? { value } : { issues: (validate.errors ?? []).map((error) => issueOf(error)) },
    },
  }
}

function compile(file: string) {
  const schema = read(file)
  // A validator of such a schema returns a promise, even for an invalid message.
  if (schema?.$async)
    throw new CommandError(`The schema ${file} has $async, which is not JSON Schema; leave it out.`)
  try {
    return validatorOf(schema).compile(schema)
  } catch (cause) {
    throw new CommandError(`${file} is not a JSON Schema: ${(cause as Error).message}.`, EXIT.refused, cause)
  }
}

function read(file: string): AnySchemaObject {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch (cause) {
    throw new CommandError(
      `The schema ${file} can't be read: ${(cause as Error).message}.`,
      EXIT.refused,
      cause,
    )
  }
}

function validatorOf({ $schema = '' }: AnySchemaObject): Ajv {
  const options = { strict: false }
  const ajv = String($schema).includes('2020-12')
    ? new Ajv2020(options)
    : String($schema).includes('2019-09')
      ? new Ajv2019(options)
      : new Ajv(options)
  // Its types declare the function as a namespace when imported from an ES module.
  return (formats as unknown as typeof formats.default)(ajv)
}

function issueOf({ message = 'does not fit', instancePath }: ErrorObject) {
  const path = instancePath
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
  return { message, path }
}
