import { type Hub, type Ledger, openHub, RivuletError } from 'rivulet'
import { exchange, iterating, observing, republishing, throwing, values } from './scenario/delivery-acts.ts'
import { comingAndGoing, names, namespaces, removal } from './scenario/lifetime-acts.ts'
import type { Act } from './scenario/pair.ts'
import { latest, line, rate, schemas, sizes } from './scenario/refusal-acts.ts'

/**
 * Runs one program over the transport that a URL names, and gives what it saw, in a form that holds nothing of the
 * transport: which values came, local or from the other hub, in which order from each publisher, every refusal,
 * and the final ledgers. What differs between transports by design is taken out, see {@link normalized}.
 */
export async function runScenario(url: string): Promise<Record<string, unknown>> {
  const pair = { west: await openHub(url), east: await openHub(url) }
  const seen: Record<string, unknown> = { status: [pair.west.status, pair.east.status] }
  try {
    for (const [name, act] of Object.entries(ACTS)) seen[name] = await act(pair, url)
    await pair.west.flush()
    await pair.east.flush()
  } finally {
    seen.ledgers = [normalized(await pair.west.close()), normalized(await pair.east.close())]
  }
  return { ...seen, afterClose: codeAfterClose(pair.west) }
}

const ACTS: Record<string, Act> = {
  exchange,
  values,
  sizes,
  rate,
  latest,
  line,
  republishing,
  throwing,
  schemas,
  names,
  comingAndGoing,
  iterating,
  observing,
  namespaces,
  removal,
}

/** Leaves out the frames that a broker hands back to their sender, which some do; each was dropped as `echo`. */
function normalized(ledger: Ledger): Ledger {
  const { received, dropped } = ledger
  return { ...ledger, received: received - dropped.echo, dropped: { ...dropped, echo: 0 } }
}

function codeAfterClose(hub: Hub): unknown {
  try {
    hub.stream('exchange')
    return 'ok'
  } catch (error) {
    return RivuletError.is(error) ? error.code : error
  }
}
