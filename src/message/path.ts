const LONGEST_KEY_SHOWN = 80

/** Writes the path of a value in the data, as every error shows it: `$` is the root, `$.a[1]["b c"]` is below it. */
export function pathText(keys: readonly PropertyKey[]): string {
  return keys.reduce<string>((path, key) => path + keyText(key), '$')
}

/** Writes one step of a path. A long key is cut. */
export function keyText(key: PropertyKey): string {
  if (typeof key !== 'string') return `[${String(key)}]`
  const shown = key.slice(0, LONGEST_KEY_SHOWN)
  return shown === key && /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(shown)}]`
}
