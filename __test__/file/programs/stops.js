// Updates a file, and stops for good at one call of `node:fs`: the parent kills it there.
import { createRequire } from 'node:module'
import { updateJSONSync } from 'process-rwlock/file'

const [file, stop] = process.argv.slice(2)
const fs = createRequire(import.meta.url)('node:fs')

/** @param {string} at */
function stopHere(at) {
  if (at !== stop) return
  process.send?.({ type: 'stopped' })
  for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
}

const { openSync, writeFileSync, writeSync, fchmodSync, fsyncSync, closeSync, renameSync } = fs
let isFolder = false
let isWriting = false
fs.openSync = (path, flags, mode) => {
  isFolder = fs.statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
  if (isFolder) stopHere('before the sync of the folder')
  else if (flags === 'wx') stopHere('before the temporary file')
  isWriting = flags === 'wx'
  return openSync(path, flags, mode)
}
fs.writeFileSync = (fd, bytes) => {
  stopHere('before the write')
  writeSync(fd, bytes.subarray(0, bytes.length / 2))
  stopHere('in the middle of the write')
  return writeFileSync(fd, bytes.subarray(bytes.length / 2))
}
fs.fchmodSync = (fd, mode) => {
  stopHere('before the mode')
  return fchmodSync(fd, mode)
}
fs.fsyncSync = (fd) => {
  if (!isFolder) stopHere('before the sync')
  return fsyncSync(fd)
}
fs.closeSync = (fd) => {
  stopHere(isFolder ? 'before the end' : isWriting ? 'before the close' : '')
  return closeSync(fd)
}
fs.renameSync = (from, to) => {
  stopHere('before the rename')
  return renameSync(from, to)
}

updateJSONSync(file, (value) => {
  stopHere('inside fn')
  return { ...value, new: 'x'.repeat(1000) }
})
