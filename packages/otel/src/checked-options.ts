import { RivuletError } from 'rivulet'

/** Throws `INVALID_OPTIONS` for a member that there is not, and for one of another type. */
export function checkOptions(what: string, options: object, forms: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(options)) {
    const form = Object.hasOwn(forms, name) ? forms[name] : undefined
    if (form === undefined) {
      throw invalid(`There is no option "${name}" of ${what}; there are ${Object.keys(forms).join(', ')}.`)
    }
    if (value !== undefined && typeof value !== form) throw invalid(`${name} of ${what} is a ${form}.`)
  }
}

/** Makes an `INVALID_OPTIONS` error. */
export function invalid(message: string): RivuletError {
  return new RivuletError('INVALID_OPTIONS', message)
}
