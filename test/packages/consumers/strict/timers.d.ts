// All that the declarations of RxJS need which neither the DOM nor Node's types are there to declare.
declare function setTimeout(handler: () => void, timeoutMs?: number): number
