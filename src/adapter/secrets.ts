import { runOutside } from '../base/async-context.ts'
import { Overdue, withDeadline } from '../base/deadline.ts'
import { realEnvironment } from '../base/environment.ts'
import type { PlatformSignal } from '../base/platform-signal.ts'
import { messageOf, RivuletError } from '../errors/errors.ts'
import type { FormOf } from '../state/option-forms.ts'
import { kindOf, type Rule, ruleOf } from './options.ts'

/** An option of a transport: its value, or a function that returns the value at each dial. */
export type Given<Value> = Value | (() => Value | Promise<Value>)

/** Options whose functions were called. */
export type Resolved<Options> = {
  readonly [Name in keyof Options]: Options[Name] extends infer Option
    ? Option extends () => infer Value
      ? Awaited<Value>
      : Option
    : never
}

/** The deadline of the functions of one dial, and the end of the dial, which may come sooner. */
export interface DialTime {
  /** The deadline, in milliseconds: `timeouts.dialMs` of the hub. */
  readonly dialMs: number
  /** Aborts when the dial ends. */
  readonly signal: PlatformSignal
}

/** This many refusals in a row are temporary: a secret seldom changes in the program and at the broker in one moment. */
const MOST_PASSING = 4

/**
 * Calls all options that are functions, at the same time and outside of any request, and returns all options with their
 * values. Rejects `TRANSPORT_UNAVAILABLE` when a function throws, returns a value of another form or takes longer than
 * the dial may take; the message names the option and shows no value. Rejects with the signal's reason when it aborts.
 */
export async function given<Options extends object>(
  options: Options,
  rules: { readonly [Name in keyof Options]?: FormOf | Rule | undefined },
  { dialMs, signal }: DialTime,
): Promise<Resolved<Options>> {
  const asked = Object.entries(options).filter(([, option]) => typeof option === 'function')
  if (asked.length === 0) return options as Resolved<Options>
  signal.throwIfAborted()
  const ruleFor = rules as Readonly<Record<string, FormOf | Rule | undefined>>
  const values = runOutside(() =>
    asked.map(async ([name, ask]) => [name, await valueFrom(name, ask, ruleFor[name])] as const),
  )
  const names = asked.map(([name]) => `"${name}"`).join(', ')
  const all = () => Promise.all(values)
  const inTime = await withDeadline(realEnvironment, names, dialMs, signal, all).catch((cause) => {
    throw cause instanceof Overdue ? noValue(names, `no answer within ${dialMs} ms`) : cause
  })
  return { ...options, ...Object.fromEntries(inTime) } as Resolved<Options>
}

/** Counts the refusals of secrets in a row, to distinguish a secret that is about to change from a wrong one. */
export class Refusals {
  readonly #isGiven: boolean
  #inRow = 0

  /** `options`: if none is a function, each refusal is for good. */
  constructor(options: object) {
    this.#isGiven = Object.values(options).some((option) => typeof option === 'function')
  }

  /**
   * Returns the error for an attempt to connect: at first a refusal counts as an outage, since the functions are called
   * again.
   */
  judge(error: unknown): unknown {
    if (!RivuletError.is(error) || error.code !== 'TRANSPORT_FAILED') return error
    if (!this.#isGiven || ++this.#inRow > MOST_PASSING) return error
    // In another wording, or the hub would not report the later refusal for good.
    const message = `${error.message} The options are asked again soon.`
    return new RivuletError('TRANSPORT_UNAVAILABLE', message, { cause: error.cause })
  }

  /** Forgets the refusals: the broker took the secrets. */
  accepted(): void {
    this.#inRow = 0
  }
}

async function valueFrom(
  name: string,
  ask: () => unknown,
  rule: FormOf | Rule | undefined,
): Promise<unknown> {
  let value: unknown
  try {
    value = await ask()
  } catch (cause) {
    throw noValue(`"${name}"`, messageOf(cause), cause)
  }
  const form = rule !== undefined && ruleOf(rule).form(value)
  if (form) throw noValue(`"${name}"`, `it is ${form}, not ${kindOf(value)}`)
  return value
}

function noValue(names: string, reason: string, cause?: unknown): RivuletError {
  const message = `The function of the option ${names} gave no value: ${reason.replace(/\.$/, '')}.`
  return new RivuletError('TRANSPORT_UNAVAILABLE', message, { cause })
}
