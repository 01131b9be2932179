import type { CommonOptions } from '../base/common-options.ts'
import { CommandError } from '../base/exit-code.ts'
import { type Context, contextOf, readContexts } from '../contexts/context-file.ts'
import { resolveReferences } from '../contexts/secret-reference.ts'

/** The location of a hub. */
export interface Place {
  /** URLs of the servers; none for a hub of this process only. */
  readonly urls: readonly string[]
  /** The hub's name; if undefined, the name in the URL, else `default`. */
  readonly hub: string | undefined
}

/**
 * Determines the hub's location. The URL is from `--url`, else `--context`, else RIVULET_URL, else RIVULET_CONTEXT, else
 * the current context. The hub's name is from `--hub`, else `--context`, else RIVULET_HUB, else the context of the URL.
 */
export function placeOf({ url, hub, context: name }: CommonOptions): Place {
  if (url !== undefined && name !== undefined) throw new CommandError('Give --url or --context, not both.')
  const { RIVULET_URL = '', RIVULET_HUB } = process.env
  const context = name === undefined ? undefined : contextOf(readContexts(), name)
  const given = url ?? context?.urls ?? RIVULET_URL.split(/\s+/).filter(Boolean)
  const fallback = given.length === 0 ? usualContext() : undefined
  return {
    urls: (fallback?.urls ?? given).map(resolveReferences),
    hub: hub ?? context?.hub ?? (RIVULET_HUB || fallback?.hub),
  }
}

/** Determines the hub's location as `placeOf` does. Throws without a URL. */
export function brokerPlaceOf(options: CommonOptions): Place {
  const place = placeOf(options)
  if (place.urls.length > 0) return place
  throw new CommandError(
    'There is no URL of a broker; give --url, RIVULET_URL, or a context: rivulet context add NAME URL.',
  )
}

function usualContext(): Context | undefined {
  const contexts = readContexts()
  const name = process.env.RIVULET_CONTEXT || contexts.current
  return name === undefined ? undefined : contextOf(contexts, name)
}
