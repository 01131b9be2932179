import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as semantic from '@opentelemetry/semantic-conventions/incubating'
import { expect, test } from 'vitest'
import { ROOT } from '../../../test/support/source-files.ts'
import own from '../package.json' with { type: 'json' }
import * as attributes from '../src/attributes.ts'

test("names of attributes are those of the schema's version of the conventions", () => {
  const [, , { schemaUrl }] = attributes.SCOPE
  expect(schemaUrl).toBe(
    `https://opentelemetry.io/schemas/${versionOf('@opentelemetry/semantic-conventions')}`,
  )
  expect({
    system: attributes.SYSTEM_NAME,
    operation: attributes.OPERATION_NAME,
    type: attributes.OPERATION_TYPE,
    name: attributes.DESTINATION_NAME,
    template: attributes.DESTINATION_TEMPLATE,
    id: attributes.MESSAGE_ID,
    error: attributes.ERROR_TYPE,
    send: attributes.PUBLISH[attributes.OPERATION_TYPE],
    process: attributes.PROCESS[attributes.OPERATION_TYPE],
  }).toEqual({
    system: semantic.ATTR_MESSAGING_SYSTEM_NAME,
    operation: semantic.ATTR_MESSAGING_OPERATION_NAME,
    type: semantic.ATTR_MESSAGING_OPERATION_TYPE,
    name: semantic.ATTR_MESSAGING_DESTINATION_NAME,
    template: semantic.ATTR_MESSAGING_DESTINATION_TEMPLATE,
    id: semantic.ATTR_MESSAGING_MESSAGE_ID,
    error: semantic.ATTR_ERROR_TYPE,
    send: semantic.MESSAGING_OPERATION_TYPE_VALUE_SEND,
    process: semantic.MESSAGING_OPERATION_TYPE_VALUE_PROCESS,
  })
})

test('the version of the scope is that of the package', () => {
  expect(attributes.SCOPE.slice(0, 2)).toEqual([own.name, own.version])
})

/** The installed version; the package does not export its `package.json`. */
function versionOf(name: string): string {
  return JSON.parse(readFileSync(join(ROOT, 'node_modules', name, 'package.json'), 'utf8')).version
}
