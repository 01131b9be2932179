// Writes the table of transports into the README: `npm run docs:transports`.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './support/source-files.ts'
import { transportTable, withTable } from './support/transport-table.ts'

const file = join(ROOT, 'README.md')
writeFileSync(file, withTable(readFileSync(file, 'utf8'), await transportTable()))
