// The errors that the standard names, with the messages of browsers.

/** An error of the arguments, as WebIDL requires. */
export function invalidArguments(message: string): TypeError {
  return new TypeError(`Failed to execute 'request' on 'LockManager': ${message}`)
}

export function invalidInvocation(): TypeError {
  return new TypeError('Illegal invocation')
}

export function notConstructible(): TypeError {
  return new TypeError('Illegal constructor')
}

export function notSupported(message: string): DOMException {
  return new DOMException(message, 'NotSupportedError')
}

export function stolen(): DOMException {
  return new DOMException("Lock broken by another request with the 'steal' option.", 'AbortError')
}
