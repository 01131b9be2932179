import { drawPlan } from './plan.ts'
import { simulate } from './simulation.ts'

const from = Number(process.argv[2] ?? 0),
  to = Number(process.argv[3] ?? 20)
let virtual = 0,
  events = 0
const start = performance.now()
for (let seed = from; seed < to; seed++) {
  const o = await simulate(drawPlan(seed), to - from === 1)
  virtual += o.virtualMs
  events += o.events
  if (o.failure) console.log(seed, o.failure)
  if (to - from === 1)
    for (const e of o.entries.slice(-Number(process.argv[4] ?? 60)))
      console.log(e.atMs.toFixed(1), e.site, e.text)
}
const s = (performance.now() - start) / 1000
console.log({
  s,
  hours: virtual / 3.6e6,
  perHour: (virtual / 3.6e6 / s) * 3600,
  perSeed: s / (to - from),
  events,
})
