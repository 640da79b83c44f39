import { invalidContent } from './content-error.js'

/** Decodes bytes, and fails if encoding the text would not give the same bytes. */
export function decode(bytes: Buffer, encoding: BufferEncoding, path: string): string {
  const text = bytes.toString(encoding)
  if (Buffer.from(text, encoding).equals(bytes)) return text
  const offset = Math.max(0, text.indexOf('\uFFFD')) // stands for invalid bytes
  throw invalidContent(path, text, offset, `it is not valid ${encoding}`)
}
