import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../support/temporary-file.ts'

const PACKAGE = join(import.meta.dirname, '../..')
const { bin } = JSON.parse(readFileSync(join(PACKAGE, 'package.json'), 'utf8')) as {
  bin: Record<string, string>
}
const program = bin['rivulet-gateway'] as string

/** Runs the program from a copy of the package, which has been built or not. */
async function run(built: string | undefined) {
  const folder = temporaryFolder()
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  cpSync(join(PACKAGE, program), join(folder, program), { recursive: true })
  mkdirSync(join(folder, 'dist'))
  if (built !== undefined) writeFileSync(join(folder, 'dist/command.js'), built)
  return promisify(execFile)(process.execPath, [join(folder, program), '--help'])
}

test('the program is in the checkout before the build, so that npm links it', async () => {
  expect(program).not.toMatch(/dist/)
  expect(existsSync(join(PACKAGE, program))).toBe(true)
  expect(readFileSync(join(PACKAGE, program), 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/)
  await expect(run(undefined)).rejects.toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringMatching(/^rivulet-gateway: It is not built yet; run "npm run build".*\n$/),
  })
})

test('the program is what was built, with its arguments', async () => {
  const { stdout, stderr } = await run('console.log(process.argv[2])')
  expect([stdout, stderr]).toEqual(['--help\n', ''])
  // What fails in it is told as it is.
  await expect(run('import "./missing.js"')).rejects.toMatchObject({
    stderr: expect.stringMatching(/missing\.js/),
  })
})
