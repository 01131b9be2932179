import assert from 'node:assert/strict'
import { FuzzedDataProvider } from '@jazzer.js/core'
import { LeakyBucket } from '../../../src/state/leaky-bucket.ts'
import { Gcra } from '../gcra.ts'

/** What a bucket may round away: the millionth of a message that its source speaks of. */
const ROUNDED = 1.001e-6
const [TAKE, HAS_ROOM, FILL, AVAILABLE, RETRY_AFTER] = [0, 1, 2, 3, 4]

/** A bucket decides as the cell rate algorithm does with exact numbers, but for the millionth of a message. */
export function fuzz(bytes: Buffer): void {
  const from = new FuzzedDataProvider(bytes)
  const thousandthsPerSecond = from.consumeIntegralInRange(0, 10_000_000)
  const thousandthsOfBurst = from.consumeIntegralInRange(1_000, 1_000_000)
  const bucket = new LeakyBucket(thousandthsPerSecond / 1000, thousandthsOfBurst / 1000)
  const model = new Gcra(thousandthsPerSecond, thousandthsOfBurst)
  let nowUs = 1_000_000
  for (let step = 0; step < 64 && from.remainingBytes > 0; step++) {
    const act = from.consumeIntegralInRange(0, 4)
    nowUs += from.consumeIntegralInRange(-50_000, 2_000_000)
    if (act === RETRY_AFTER) {
      // Only a look: nothing leaks by it.
      checkWait(bucket, model, nowUs, thousandthsPerSecond)
      continue
    }
    model.pass(nowUs)
    if (act === FILL) fill(bucket, model, nowUs / 1000, from.consumeIntegralInRange(0, 1_200_000))
    else check(act, bucket, model, nowUs / 1000)
  }
}

function check(act: number, bucket: LeakyBucket, model: Gcra, nowMs: number): void {
  const room = model.room()
  if (act === AVAILABLE) {
    const available = bucket.available(nowMs)
    assert.ok(available >= Math.max(0, Math.floor(room - ROUNDED)), `${available} of ${room} are available`)
    assert.ok(available <= Math.max(0, Math.floor(room + ROUNDED)), `${available} of ${room} are available`)
    return
  }
  const isTaken = act === HAS_ROOM ? bucket.hasCapacity(nowMs) : bucket.take(nowMs)
  if (isTaken) assert.ok(room >= 1 - ROUNDED, `there is room for ${room} only`)
  else assert.ok(room < 1, `there is room for ${room}`)
  if (isTaken && act === TAKE) model.add()
}

function fill(bucket: LeakyBucket, model: Gcra, nowMs: number, thousandths: number): void {
  bucket.fill(nowMs, thousandths / 1000)
  model.fill(thousandths)
}

/** After the wait there is room, and a millisecond before there was none. */
function checkWait(bucket: LeakyBucket, model: Gcra, nowUs: number, thousandthsPerSecond: number): void {
  const waitMs = bucket.retryAfterMs(nowUs / 1000)
  const isForEver = waitMs === Infinity
  assert.equal(isForEver, thousandthsPerSecond === 0 && model.roomAt(nowUs) < 1 - ROUNDED)
  if (isForEver) return
  assert.ok(Number.isInteger(waitMs) && waitMs >= 0, `a wait of ${waitMs} ms`)
  const after = model.roomAt(nowUs + waitMs * 1000)
  assert.ok(after >= 1 - ROUNDED, `after ${waitMs} ms there is room for ${after}`)
  const before = waitMs === 0 ? 0 : model.roomAt(nowUs + (waitMs - 1) * 1000)
  assert.ok(before < 1 + ROUNDED, `a millisecond earlier there was room for ${before}`)
}
