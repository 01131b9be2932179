import type { PublishResult, Refusal } from 'rivulet'
import { type Answer, problemAnswer, textAnswer } from '../base/answer.ts'
import type { ProblemName } from '../base/problem.ts'
import { dataJson } from './message-json.ts'

const PROBLEM_OF: Readonly<Record<Refusal['code'], ProblemName>> = {
  INVALID_DATA: 'badJson',
  PAYLOAD_TOO_LARGE: 'tooLarge',
  RATE_LIMITED: 'rateLimited',
  WAITING_LINE_FULL: 'rateLimited',
  SCHEMA_MISMATCH: 'wrongSchema',
  INVALID_OPTIONS: 'internal',
  STREAM_CLOSED: 'notFound',
  HUB_CLOSED: 'unavailable',
}

/** Answers a publish. A refusal is not thrown: in a flood the stack of an error would cost more than the refusal. */
export function publishAnswer(result: PublishResult<unknown>): Answer {
  if (!result.ok) return refusalAnswer(result)
  return textAnswer(`{"sid":"${result.message.sid}","data":${dataJson(result.message)}}`, 201)
}

function refusalAnswer({ code, retryAfterMs = 1000 }: Refusal): Answer {
  const problem = PROBLEM_OF[code]
  // At a rate of 0 there will never be room.
  if (problem !== 'rateLimited' || !Number.isFinite(retryAfterMs)) return problemAnswer(problem)
  return problemAnswer(problem, { 'retry-after': String(Math.ceil(retryAfterMs / 1000)) })
}
