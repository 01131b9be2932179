import { hunt } from './hunt.ts'

// Hunts until a law is broken, and prints what came of it: `first count`.
const [first, count] = process.argv.slice(2).map(Number)
const found = await hunt(first as number, count as number, { mostFailures: 1 })
process.stdout.write(JSON.stringify(found))
