import { invalid } from './invalid.ts'

/** The values that an option may have. */
export interface Form {
  /** Returns whether a value is allowed. */
  readonly fits: (value: unknown) => boolean
  /** In words, after "is". */
  readonly what: string
}

/** The greatest number of an option: the longest time that a timer takes. */
export const MAX_NUMBER = 2 ** 31 - 1

/** The form of a text. */
export const TEXT: Form = { fits: (value) => typeof value === 'string', what: 'a text' }
/** The form of a port. */
export const PORT: Form = numberFrom(0, 65_535)

/** Makes the form of a number. */
export function numberFrom(least: number, most = MAX_NUMBER): Form {
  return {
    fits: (value) => Number.isInteger(value) && Number(value) >= least && Number(value) <= most,
    what: most === MAX_NUMBER ? `a whole number from ${least}` : `a number from ${least} to ${most}`,
  }
}

/** Throws `INVALID_OPTIONS` for an option that does not exist: a misspelt one is not taken for one that was left out. */
export function checkNames(options: object, known: object): void {
  const stray = Object.keys(options).find((name) => !Object.hasOwn(known, name))
  if (stray === undefined) return
  throw invalid(`There is no option ${stray}; the options are ${Object.keys(known).join(', ')}.`)
}

/** Throws `INVALID_OPTIONS` for an option that does not exist, and for one that is something else. */
export function checkOptions<Options extends object>(
  options: Options,
  forms: Readonly<Record<keyof Options, Form>>,
): void {
  checkNames(options, forms)
  for (const [name, { fits, what }] of Object.entries<Form>(forms)) {
    const value = options[name as keyof Options]
    if (value !== undefined && !fits(value)) throw invalid(`${name} is ${what}.`)
  }
}

/** Returns whether a value is an object with members, and no list. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Gives a switch, which is off by default. A value that is neither may come from a file: "false" must not open a gateway. */
export function switchOf(name: string, value: unknown = false): boolean {
  if (typeof value !== 'boolean') throw invalid(`${name} is true or false.`)
  return value
}
