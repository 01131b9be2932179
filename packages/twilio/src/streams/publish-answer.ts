import { type Answer, dataJson, type Problem, textAnswer } from '@rivulet/gateway/protocol'
import type { PublishResult, Refusal } from 'rivulet'
import { PROBLEMS, problemAnswer } from '../base/problem.ts'

const PROBLEM_OF: Readonly<Record<Refusal['code'], Problem>> = {
  INVALID_DATA: PROBLEMS.badJson,
  PAYLOAD_TOO_LARGE: PROBLEMS.tooLarge,
  RATE_LIMITED: PROBLEMS.rateLimited,
  QUEUE_FULL: PROBLEMS.rateLimited,
  SCHEMA_MISMATCH: PROBLEMS.wrongSchema,
  INVALID_OPTIONS: PROBLEMS.internal,
  STREAM_CLOSED: PROBLEMS.notFound,
  HUB_CLOSED: PROBLEMS.unavailable,
}

/** Answers a publish. A refusal is not thrown: in a flood the stack of an error would cost more than the refusal. */
export function publishAnswer(result: PublishResult<unknown>): Answer {
  if (!result.ok) return refusalAnswer(result)
  return textAnswer(`{"sid":"${result.message.sid}","data":${dataJson(result.message)}}`, 201)
}

function refusalAnswer({ code, retryAfterMs = 1000 }: Refusal): Answer {
  const problem = PROBLEM_OF[code]
  // At a rate of 0 there is never capacity.
  if (problem !== PROBLEMS.rateLimited || !Number.isFinite(retryAfterMs)) return problemAnswer(problem)
  return problemAnswer(problem, { 'retry-after': String(Math.ceil(retryAfterMs / 1000)) })
}
