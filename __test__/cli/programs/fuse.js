// A FUSE file system with one file, `x.lock`, mounted at a folder until this process ends:
//   node fuse.js FOLDER
// Source: linux/fuse.h of the kernel, the protocol of /dev/fuse.
import { spawn } from 'node:child_process'
import { openSync, read, writeSync } from 'node:fs'

const [folder = ''] = process.argv.slice(2)
const fuse = openSync('/dev/fuse', 'r+')
const options = 'fd=3,rootmode=40000,user_id=0,group_id=0'
const mount = spawn('mount', ['-i', '-t', 'fuse.testfs', '-o', options, 'testfs', folder], {
  stdio: ['ignore', 'inherit', 'inherit', fuse],
})
mount.once('exit', (code) => process.send?.({ type: 'mounted', code }))

const [ROOT, FILE] = [1n, 2n]
const NO_ANSWER = [2, 36, 42] // FORGET, INTERRUPT, BATCH_FORGET
const [ENOENT, ENOSYS] = [2, 38]

function attributes(node) {
  const text = Buffer.alloc(88)
  text.writeBigUInt64LE(node, 0)
  text.writeUInt32LE(node === ROOT ? 0o40755 : 0o100600, 60)
  text.writeUInt32LE(1, 64) // links
  text.writeUInt32LE(4096, 80)
  return text
}

/** The answer to a request, or an error number. */
function answer(opcode, node, body) {
  switch (opcode) {
    case 26: {
      const text = Buffer.alloc(64) // INIT
      text.writeUInt32LE(7, 0)
      text.writeUInt32LE(31, 4)
      text.writeUInt32LE(65_536, 20)
      return text
    }
    case 1: {
      if (body.toString('latin1') !== 'x.lock\0') return ENOENT // LOOKUP
      const entry = Buffer.alloc(40)
      entry.writeBigUInt64LE(FILE, 0)
      return Buffer.concat([entry, attributes(FILE)])
    }
    case 3: // GETATTR
      return Buffer.concat([Buffer.alloc(16), attributes(node)])
    case 14: // OPEN
    case 27: // OPENDIR
      return Buffer.alloc(16)
    case 17: // STATFS
      return Buffer.alloc(80)
    case 18: // RELEASE
    case 25: // FLUSH
    case 29: // RELEASEDIR
      return Buffer.alloc(0)
    default:
      return ENOSYS
  }
}

const request = Buffer.alloc(140_000)
function serve() {
  read(fuse, request, 0, request.length, null, (error, length) => {
    if (error) {
      if (error.code === 'EPERM') setTimeout(serve, 1) // not mounted yet
      return // ENODEV: not mounted any more
    }
    const [opcode, unique, node] = [
      request.readUInt32LE(4),
      request.readBigUInt64LE(8),
      request.readBigUInt64LE(16),
    ]
    if (!NO_ANSWER.includes(opcode)) {
      const result = answer(opcode, node, request.subarray(40, length))
      const body = typeof result === 'number' ? Buffer.alloc(0) : result
      const head = Buffer.alloc(16)
      head.writeUInt32LE(16 + body.length, 0)
      head.writeInt32LE(typeof result === 'number' ? -result : 0, 4)
      head.writeBigUInt64LE(unique, 8)
      writeSync(fuse, Buffer.concat([head, body]))
    }
    serve()
  })
}
serve()
