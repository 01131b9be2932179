import { invalid } from '../errors/errors.ts'
import { builtInOf } from '../message/built-ins.ts'
import { isRecord } from '../message/snapshot.ts'

/** Returns the required form of a value in words, or `false` when the value has it. */
export type FormOf = (value: unknown) => string | false

/** The largest whole number, for options without another bound. */
export const LARGEST = Number.MAX_SAFE_INTEGER

/** A string. */
export const textForm: FormOf = (value) => typeof value !== 'string' && 'a string'

/** A string that matches a pattern, in words. */
export function patternForm(pattern: RegExp, words: string): FormOf {
  return (value) => !(typeof value === 'string' && pattern.test(value)) && words
}

/** A switch. */
export const flagForm: FormOf = (value) => typeof value !== 'boolean' && 'true or false'

/** A function. */
export const functionForm: FormOf = (value) => typeof value !== 'function' && 'a function'

/** A number in a range; the unit is in the option's name. */
export function numberForm(least: number, most = LARGEST): FormOf {
  return (value) =>
    !(typeof value === 'number' && value >= least && value <= most) && `a number${rangeOf(least, most)}`
}

/** A whole number in a range; the unit is in the option's name. */
export function wholeNumberForm(least: number, most = LARGEST): FormOf {
  return (value) =>
    !(Number.isInteger(value) && (value as number) >= least && (value as number) <= most) &&
    `a whole number${rangeOf(least, most)}`
}

/** One of a few texts. */
export function choiceForm(choices: readonly string[]): FormOf {
  return (value) => !choices.includes(value as string) && `'${choices.join("' or '")}'`
}

/** Returns whether a value can be an object of options: no array, and no built-in such as a `Map`. */
export function isOptionsObject(value: unknown): value is Record<string, unknown> {
  return isRecord(value) && builtInOf(value) === undefined
}

/**
 * Reads the named options, each once, and leaves out those that are `undefined`. Throws `INVALID_OPTIONS` for a name
 * that does not exist: a misspelt option would have no effect.
 */
export function readOptions<Name extends string>(
  kind: string,
  given: Record<string, unknown>,
  names: readonly Name[],
): (readonly [name: Name, value: unknown])[] {
  const unknown = Object.keys(given).find((name) => !names.includes(name as Name))
  if (unknown !== undefined) {
    throw invalid(`There is no ${kind} option "${unknown}"; there are ${names.join(', ')}.`)
  }
  return names.map((name) => [name, given[name]] as const).filter(([, value]) => value !== undefined)
}

function rangeOf(least: number, most: number): string {
  return ` from ${least}${most === LARGEST ? '' : ` to ${most}`}`
}
