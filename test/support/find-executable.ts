import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

// Debian puts daemons where the PATH of an ordinary user does not lead.
const SYSTEM_FOLDERS = ['/usr/sbin', '/usr/local/sbin', '/opt/homebrew/sbin']

/** Finds a program in `PATH` or among the system's daemons. Throws when it is not there. */
export function findExecutable(program: string): string {
  const found = lookUp(program)
  if (found === undefined) throw new Error(`The program "${program}" is not installed on this machine.`)
  return found
}

/** Tells whether a program is there. */
export function isInstalled(program: string): boolean {
  return lookUp(program) !== undefined
}

function lookUp(program: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...SYSTEM_FOLDERS]
  return folders.map((folder) => join(folder, program)).find(isExecutable)
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
