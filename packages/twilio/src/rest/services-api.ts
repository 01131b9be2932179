import { type Answer, ApiError, decodeSegment, jsonAnswer } from '@rivulet/gateway/protocol'
import type { Hub } from 'rivulet'
import { PROBLEMS } from '../base/problem.ts'
import { isoSeconds } from '../streams/stream-resource.ts'
import type { Exchange } from './exchange.ts'

/** The services of a gateway, and the account that they belong to. */
export interface ServiceOptions {
  /** The hub of each service by its sid. The first is also called `default`. */
  readonly services: ReadonlyMap<string, Hub>
  readonly accountSid: string
}

/** Finds the service that a path names. Throws 20404. */
export function serviceSidOf(segment: string, services: ReadonlyMap<string, Hub>): string {
  const given = decodeSegment(segment)
  const [first] = services.keys()
  const sid = given === 'default' ? first : given
  if (sid === undefined || !services.has(sid)) throw new ApiError(PROBLEMS.notFound)
  return sid
}

/** Shows the services, as Twilio's REST API does. They are made by configuration, so they can only be read. */
export class ServicesApi {
  readonly #options: ServiceOptions
  readonly #startedMs = Date.now()

  constructor(options: ServiceOptions) {
    this.#options = options
  }

  fetch({ caller, serviceSid, servicesUrl }: Exchange): Answer {
    if (!caller.may('manage', serviceSid)) throw new ApiError(PROBLEMS.forbidden)
    return jsonAnswer(this.#resource(serviceSid, servicesUrl()), 200)
  }

  /** All of them on one page: there are as many as the configuration names. */
  list({ caller, servicesUrl }: Exchange): Answer {
    const own = [...this.#options.services.keys()].filter((sid) => caller.may('manage', sid))
    if (own.length === 0) throw new ApiError(PROBLEMS.forbidden)
    const url = servicesUrl()
    const services = own.map((sid) => this.#resource(sid, url))
    const meta = {
      first_page_url: url,
      key: 'services',
      next_page_url: null,
      page: 0,
      page_size: Math.max(own.length, 50),
      previous_page_url: null,
      url,
    }
    return jsonAnswer({ services, meta }, 200)
  }

  #resource(sid: string, servicesUrl: string): Record<string, unknown> {
    const [defaultSid] = this.#options.services.keys()
    const url = `${servicesUrl}/${sid}`
    const started = isoSeconds(this.#startedMs)
    return {
      sid,
      unique_name: sid === defaultSid ? 'default' : null,
      account_sid: this.#options.accountSid,
      friendly_name: this.#options.services.get(sid)?.name,
      date_created: started,
      date_updated: started,
      url,
      webhook_url: null,
      webhooks_from_rest_enabled: false,
      reachability_webhooks_enabled: false,
      acl_enabled: false,
      reachability_debouncing_enabled: false,
      reachability_debouncing_window: 5000,
      links: { streams: `${url}/Streams` },
    }
  }
}
