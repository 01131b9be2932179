import { fstatSync } from 'node:fs'
import { CommandError } from './exit-code.ts'

const FILE_DESCRIPTOR = 0

/** Returns standard input. Throws when it is a folder, which Node reads as an empty file. */
export function standardInput(): NodeJS.ReadStream {
  if (!fstatSync(FILE_DESCRIPTOR).isDirectory()) return process.stdin
  throw new CommandError('Standard input is a folder; give a file, or lines by a pipe.')
}
