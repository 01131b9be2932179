import type { Capabilities, Topic, Transport, TransportHost } from 'rivulet'
import { hubNameOf, readTopic } from 'rivulet/adapter'

const SEPARATOR = '%2F'

/**
 * Maps all hubs on a transport into one hub: their streams become streams of that one, prefixed with the name of their
 * hub. So a user with access to one hub only can use any number of hubs.
 */
export function withinHub(hub: string, inner: Transport): Transport {
  const prefix = `rivulet/${hub}/`
  const innerOf = (topic: Topic) => {
    const name = topic.slice(topic.lastIndexOf('/') + 1)
    return `${prefix}${hubNameOf(topic)}${SEPARATOR}${name}` as Topic
  }
  return {
    name: inner.name,
    get capabilities(): Capabilities {
      const { capabilities } = inner
      return { ...capabilities, maxFrameBytes: (topic) => capabilities.maxFrameBytes(innerOf(topic)) }
    },
    open: (host, signal) => inner.open(hostWithin(prefix, hub, host), signal),
    send: (topic, frame) => inner.send(innerOf(topic), frame),
    join: (topic, signal) => inner.join(innerOf(topic), signal),
    leave: (topic) => inner.leave(innerOf(topic)),
    watch: (_, signal) => inner.watch(hub, signal),
    flush: (signal) => inner.flush(signal),
    bufferedBytes: () => inner.bufferedBytes?.() ?? 0,
    close: (signal) => inner.close(signal),
  }
}

function hostWithin(prefix: string, hub: string, host: TransportHost): TransportHost {
  const outerOf = (topic: string): Topic | undefined => {
    const rest = topic.slice(prefix.length)
    const end = rest.indexOf(SEPARATOR)
    if (end < 0) return undefined
    return readTopic(`rivulet/${rest.slice(0, end)}/${rest.slice(end + SEPARATOR.length)}`)
  }
  const outer = (topic: Topic | undefined) => (topic === undefined ? undefined : outerOf(topic))
  return {
    hub,
    receive(topic, frame) {
      const mine = outerOf(topic)
      if (mine !== undefined) host.receive(mine, frame)
    },
    watched(topic, frame) {
      const mine = outerOf(topic)
      // The hub has streams of other programs too.
      if (mine !== undefined && hubNameOf(mine) === host.hub) host.watched(mine, frame)
    },
    down: (cause) => host.down(cause),
    error: (topic, cause) => host.error(outer(topic), cause),
    left: (topic, cause) => host.left(outer(topic), cause),
  }
}
