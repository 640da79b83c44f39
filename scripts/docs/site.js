// The addresses of the site and of the repository, and the anchors of headings in both.

export const BASE = '/process-rwlock/'
export const SITE = `https://process-rwlock.github.io${BASE}`
export const REPOSITORY = 'https://github.com/process-rwlock/process-rwlock'

/**
 * The anchor of a heading, as on GitHub, so that one link works there and on the site.
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
