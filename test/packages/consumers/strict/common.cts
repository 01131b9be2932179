import rivulet = require('rivulet')
import adapter = require('rivulet/adapter')
import testing = require('rivulet/testing')
import transport = require('rivulet/transport')

export const hub: rivulet.Hub = rivulet.createHub()
export function takeHub(_hub: rivulet.Hub): void {}
export function takeError(_error: rivulet.RivuletError): void {}
export function takeTransport(_transport: rivulet.Transport): void {}
export const others = { adapter, testing, transport }
