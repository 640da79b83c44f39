import { invalidContent } from './content-error.js'

/** Decodes bytes of which none may be lost when the text is encoded again. */
export function decode(bytes: Buffer, encoding: BufferEncoding, path: string): string {
  const text = bytes.toString(encoding)
  if (Buffer.from(text, encoding).equals(bytes)) return text
  const offset = Math.max(0, text.indexOf('\uFFFD')) // stands for what could not be decoded
  throw invalidContent(path, text, offset, `it is not valid ${encoding}`)
}
