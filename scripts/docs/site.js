// Where the site and the repository are, and how the headings of both become anchors.

export const BASE = '/process-rwlock/'
export const SITE = `https://process-rwlock.github.io${BASE}`
export const REPOSITORY = 'https://github.com/process-rwlock/process-rwlock'

/**
 * The anchor of a heading, as GitHub makes it: so one link works there and on the site.
 *
 * @param {string} heading
 */
export function slug(heading) {
  return heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{Letter}\p{Mark}\p{Number} _-]/gu, '')
    .replaceAll(' ', '-')
}
