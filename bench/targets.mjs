import { rounded, times } from './report/table.mjs'

const BY_HAND = 'same contract, hand-made'
const SUBJECT = 'RxJS Subject'
const LOOP = 'bare array loop'
const NATS = 'bare @nats-io/transport-node + JSON'
const MQTT = 'bare mqtt + JSON'
const REFUSAL = { suite: 'refuse', name: 'over the rate limit', beside: 'Rivulet tryPublish, accepted' }

/**
 * The targets of Rivulet in the cases of the suites, by their names.
 * `atLeast`: the factor by which it is better than the row `beside`. `atMostTimes`: its time, as a multiple of that
 * row's. `atMostBytes`: its own figure. `stretch`: a more ambitious target.
 */
const TARGETS = [
  { ...fanOut('1 subscriber', BY_HAND), atLeast: 4.5 },
  { ...fanOut('10 subscribers', BY_HAND), atLeast: 4.5 },
  { ...fanOut('100 subscribers', BY_HAND), atLeast: 3 },
  { ...fanOut('1,000 subscribers', BY_HAND), atLeast: 2.2 },
  { ...fanOut('10,000 subscribers', BY_HAND), atLeast: 2.2 },
  { ...fanOut('30 subscribers', SUBJECT), atLeast: 1 },
  { ...fanOut('100 subscribers', SUBJECT), atLeast: 1.5 },
  { ...fanOut('1,000 subscribers', SUBJECT), atLeast: 2 },
  { ...fanOut('10,000 subscribers', SUBJECT), atLeast: 2 },
  { ...fanOut('1,000 subscribers', LOOP), atMostTimes: 1.1 },
  { ...fanOut('10,000 subscribers', LOOP), atMostTimes: 1.1 },
  { ...REFUSAL, atMostTimes: 1 / 3 },
  { suite: 'churn', name: '20,000 come and go', beside: SUBJECT, atLeast: 40 },
  { suite: 'memory', name: 'an idle stream with its name', atMostBytes: 290 },
  { suite: 'memory', name: 'a stream with one subscriber', atMostBytes: 900 },
  { ...remote('nats: one stream flat out', NATS), atLeast: 1.5, stretch: 2 },
  { ...remote('nats: 1,000 streams in turn, flat out', NATS), atLeast: 0.7, stretch: 0.9 },
  { ...remote('mqtt: one stream flat out', MQTT), atLeast: 3.5 },
  { ...remote('mqtt: 1,000 streams in turn, flat out', MQTT), atLeast: 0.95 },
]

function fanOut(subscribers, beside) {
  return { suite: 'fanout', name: `${subscribers}, 53 bytes`, beside }
}

function remote(name, beside) {
  return { suite: 'transport', name, beside }
}

/**
 * Compares the results of the given suites with their targets, in the first column; the others are listed beside it.
 * A target whose case was left out, as in a quick run, is listed as not measured.
 */
export function verdictsOf(results) {
  return TARGETS.flatMap((target) => {
    const result = results.find(({ suite }) => suite === target.suite)
    return result === undefined ? [] : [verdictOf(target, rowOf(target, result), result.columns)]
  })
}

function rowOf({ name, beside }, { cases }) {
  const rows = cases.find((each) => each.name === name)?.rows ?? []
  return beside === undefined ? rows[0] : rows.find((row) => row.name === beside)
}

function verdictOf(target, row, columns) {
  const [figure, ...others] = (row?.columns ?? []).map((column) => figureOf(target, column))
  return {
    ...{ suite: target.suite, name: target.name },
    beside: target.beside === undefined ? '' : `beside ${target.beside}`,
    wanted: wantedOf(target),
    reached: figure === undefined ? '' : written(target, figure),
    elsewhere: others
      .map((other, index) => `${columns[index + 1].title}: ${written(target, other)}`)
      .join(', '),
    verdict: verdictWord(target, figure),
  }
}

function figureOf({ atMostTimes, atMostBytes }, { value, rivuletIsBetterBy }) {
  if (atMostBytes !== undefined) return value
  return atMostTimes === undefined ? rivuletIsBetterBy : 1 / rivuletIsBetterBy
}

function isMet({ atLeast, atMostTimes, atMostBytes }, figure) {
  return atLeast === undefined ? figure <= (atMostTimes ?? atMostBytes) : figure >= atLeast
}

function verdictWord(target, figure) {
  if (figure === undefined) return 'not measured'
  if (!isMet(target, figure)) return 'missed'
  return figure >= target.stretch ? 'met, stretch too' : 'met'
}

function wantedOf({ atLeast, stretch, atMostTimes, atMostBytes }) {
  if (atMostBytes !== undefined) return `at most ${atMostBytes} bytes`
  if (atMostTimes !== undefined) return `at most ${times(atMostTimes)} its time`
  return `${times(atLeast)}${stretch === undefined ? '' : ` (stretch ${times(stretch)})`}`
}

function written({ atMostBytes }, figure) {
  return atMostBytes === undefined ? times(figure) : `${rounded(figure)} bytes`
}
