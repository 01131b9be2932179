import { deepStrictEqual, strictEqual } from 'node:assert'

// Subscribers of a program are different functions. With a single one V8 would inline it into the loop that calls
// it, for every contender, and the bench would measure an unrealistic program.
const KINDS = [
  (tally, index) => () => {
    tally[index]++
  },
  (tally, index) => (_message) => {
    tally[index] += 1
  },
  (tally, index) => () => {
    tally[index] = tally[index] + 1
  },
  (tally, index) =>
    function count() {
      tally[index]++
    },
]

/** Makes subscribers that each count their own calls. */
export function countingReaders(count) {
  const tally = new Int32Array(count)
  return {
    listeners: Array.from(tally, (_, index) => KINDS[index % KINDS.length](tally, index)),
    /** Throws unless every subscriber was called `expected` times. */
    check(name, expected) {
      const wrong = tally.findIndex((calls) => calls !== expected)
      const message = `${name}: subscriber ${wrong} of ${count} got ${tally[wrong]} of ${expected} messages.`
      strictEqual(wrong, -1, message)
    },
  }
}

/** Makes subscribers that record their messages, to check them. */
export function keepingReaders(count, read) {
  const kept = Array.from({ length: count }, () => [])
  return {
    listeners: kept.map((messages) => (message) => {
      messages.push(read(message))
    }),
    check(name, expected) {
      for (const [index, messages] of kept.entries()) {
        deepStrictEqual(messages, expected, `${name}: subscriber ${index} of ${count} got something else.`)
      }
    },
  }
}
