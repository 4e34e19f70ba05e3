/**
 * What the parts of the page ask of each other; types only.
 *
 * @typedef {object} Clock
 * @property {() => number} now milliseconds
 * @property {(delay: number, call: () => void) => () => void} after answers with what cancels it
 *
 * @typedef {object} Screen what shows the output
 * @property {(bytes: Uint8Array, replayed: boolean, parsed: (count: number) => void) => void} write
 * @property {(may: boolean) => void} mayAnswer
 * @property {() => void} startedAnew the output begins again: clear
 * @property {(count: number) => void} missed bytes of output are gone here
 * @property {(count: number) => void} undelivered bytes typed earlier won't be typed
 * @property {(count: number) => void} cancelled bytes won't be typed: they were cancelled, or overtaken by events
 * @property {(what: string, message: string) => void} refused the server didn't do something
 * @property {(holder: string|null, by: string|null) => void} keyboard it changed hands
 *
 * @typedef {object} Link a connection to the server
 * @property {"websocket"|"poll"} kind
 * @property {(attach: {resume: string|null, offset: number|null, console: string|null}) => void} attach
 *   is called once, from `opened`
 * @property {(message: object) => void} say
 * @property {(most: number) => number} room how many bytes of input it takes now, of `most`
 * @property {(bytes: Uint8Array<ArrayBuffer>, at: number) => void} type `at`: the number of the first byte
 * @property {() => boolean} idle whether nothing typed or said is under way whose fate is unknown
 * @property {() => void} close nothing comes from it any more
 *
 * @typedef {object} Listener what a link tells
 * @property {() => void} opened
 * @property {(event: any) => void} event
 * @property {(bytes: Uint8Array) => void} output
 * @property {() => void} ready there may be room for input again
 * @property {(code: number, reason: string) => void} closed codes as of WebSockets; 0 for "never came up"
 *
 * @typedef {object} Counted of our input
 * @property {number} input so many bytes, in all
 * @property {number} [dropped] the last ones of them, which will never be typed
 * @property {boolean} [concealing] some may have been dropped though it doesn't say so
 *
 * @typedef {object} Answer
 * @property {number} status
 * @property {Uint8Array} body
 *
 * @typedef {(path: string, init: {headers: Record<string, string>, body: BodyInit, signal: AbortSignal}) =>
 *   Promise<Answer>} Post sends a request; rejects when there is no answer
 *
 * @typedef {object} Status how the connection is
 * @property {"connecting"|"connected"|"waiting"|"reconnecting"|"behind"|"ended"} name
 * @property {string} reason why it is reconnecting or has ended: a word for strings.js
 * @property {string} message the server's own words on it, or ""
 * @property {number|null} deadline when it will try again, by the clock
 * @property {"websocket"|"poll"} way
 * @property {boolean} answering
 * @property {number|null} roundTrip milliseconds
 * @property {number|null} offset of the next byte of output
 * @property {number|null} live
 * @property {number} pending bytes which the screen has yet to parse
 * @property {number} unsent bytes typed and not sent
 * @property {number} uncounted bytes typed and not counted by the server
 *
 * @typedef {Status & import("./facts.js").Facts} State
 */

export {};
