import { invalid, shown } from '../errors/errors.ts'
import { type FormOf, isOptionsObject, readOptions, textForm } from '../state/option-forms.ts'

/** The checks of one option. */
export interface Rule {
  /** The form of its value. */
  readonly form: FormOf
  /** Whether an error may show a wrong value. Never of an option that could hold a secret. */
  readonly isVisible?: boolean | undefined
  /** Whether the option may be a function, which `given` calls at each dial. */
  readonly isGiven?: boolean | undefined
}

/** The rule of each option. A form alone: its value is not shown, and it cannot be a function. */
export type Rules<Options> = { readonly [Name in keyof Options]-?: FormOf | Rule }

const URL_BEGINNING = /^[a-z][a-z\d+.-]*:/i

/** A string that is not empty. */
export const filledForm: FormOf = (value) =>
  (typeof value !== 'string' || value === '') && 'a string that is not empty'

/** A certificate or a key, as PEM text. An empty one is refused, since the system's authorities would be trusted instead. */
export const pemForm: FormOf = (value) => filledForm(value) && 'a string with PEM text'

/** One string or several. */
export const textsForm: FormOf = (value) => [value].flat().some(textForm) && 'a string or an array of strings'

/** A nested object of options, which is checked by itself. */
export function objectForm(words: string): FormOf {
  return (value) => !isOptionsObject(value) && words
}

/** TLS on, TLS off, or an object with the named options of TLS. */
export function tlsForm(names: string): FormOf {
  return (value) =>
    typeof value !== 'boolean' && !isOptionsObject(value) && `true, false or an object { ${names} }`
}

/** An option of which an error may show a wrong value. */
export function visible(form: FormOf): Rule {
  return { form, isVisible: true }
}

/** An option that may be a function, which `given` calls at each dial. */
export function orFunction(form: FormOf): Rule {
  return { form, isGiven: true }
}

/**
 * Checks an object of options, each read once. Returns a frozen copy without those that are `undefined`. Throws
 * `INVALID_OPTIONS` for a name that does not exist and for a value of another form. No error shows a value unless the
 * option is marked as `visible`: a secret may be in the wrong option. `kind` names the options in errors.
 */
export function checkOptions<Options extends object>(
  kind: string,
  given: unknown,
  rules: Rules<Options>,
): Options {
  const names = Object.keys(rules) as (keyof Options & string)[]
  if (!isOptionsObject(given)) {
    const isUrl = typeof given === 'string' && URL_BEGINNING.test(given)
    const found = isUrl ? 'a URL; for a URL use openHub' : kindOf(given)
    throw invalid(`The ${kind} options are an object { ${names.join(', ')} }, not ${found}.`)
  }
  const options = readOptions(kind, given, names)
  for (const [name, value] of options) {
    const { form, isVisible, isGiven } = ruleOf(rules[name])
    const words = !(isGiven && typeof value === 'function') && form(value)
    if (words === false) continue
    const alternative = isGiven ? ', or a function that gives it' : ''
    const found = isVisible ? shownWhole(value) : kindOf(value)
    throw invalid(`The ${kind} option "${name}" is ${words}${alternative}, not ${found}.`)
  }
  return Object.freeze(Object.fromEntries(options)) as Options
}

/** Names the kind of a value, without the content of a text, a number or an object. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined || typeof value === 'boolean') return String(value)
  if (Array.isArray(value)) return 'an array'
  if (value === '') return 'an empty string'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

function shownWhole(value: unknown): string {
  return Array.isArray(value) ? `[${value.map(shown).join(', ')}]` : shown(value)
}

/** Returns the rule of a form alone. */
export function ruleOf(rule: FormOf | Rule): Rule {
  return typeof rule === 'function' ? { form: rule } : rule
}
