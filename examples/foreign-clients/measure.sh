#!/bin/sh
# Publishes measurements without Rivulet. Usage: measure.sh <port> [redis]
set -eu
publish() {
  if [ "${2:-}" = redis ]; then
    redis-cli -p "$1" PUBLISH rivulet/default/sensors "$3" > /dev/null
  else
    mosquitto_pub -h 127.0.0.1 -p "$1" -t rivulet/default/sensors -m "$3"
  fi
}
publish "$1" "${2:-}" '{"data":{"sensor":"attic","celsius":21}}'
publish "$1" "${2:-}" '{"data":{"sensor":"cellar","celsius":23}}'
# This is no frame: the receiver drops and counts it, and calls no subscriber.
publish "$1" "${2:-}" 'celsius=25'
