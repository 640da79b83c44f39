// Checks that every link of the documents and of the site has a target, that every error code has
// an anchor, and that ARCHITECTURE.md and docs/testing.md name what exists. Links to other sites
// are not followed.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { mutants } from '../../verify/mutants/lists/docs.js'
import { mutate } from '../../verify/mutants/mutate.js'
import { tryMutants } from '../../verify/mutants/run.js'
import { Tree } from '../../verify/mutants/tree.js'
import { root } from '../lib/run.js'
import { documents } from './documents.js'
import { nameProblems } from './names.js'
import { BASE, REPOSITORY, SITE, slug } from './site.js'

/** @typedef {Map<string, string>} Texts by path */

/** @param {string} site the folder of the built site */
export function linkProblems(site) {
  const pages = read(site, listed(site, /\.(html|css)$/))
  return [...documentProblems(readDocuments(), pages), ...siteProblems(site, pages)]
}

/**
 * Breaks one link at a time: each must be found.
 *
 * @param {string} site
 */
export function linkMutants(site) {
  const texts = { documents: readDocuments(), site: read(site, listed(site, /\.(html|css)$/)) }
  return tryMutants({
    mutants,
    part: '',
    find: async (mutant) => {
      const broken = new Map([...texts[mutant.of], ...mutate(new Tree(texts[mutant.of], 'text'), mutant)])
      const problems =
        mutant.of === 'documents' ? documentProblems(broken, texts.site) : siteProblems(site, broken)
      return [...problems].find((problem) => problem.includes(mutant.by))
    },
  })
}

function readDocuments() {
  return read(fileURLToPath(root), documents())
}

/** @param {Texts} texts @param {Texts} pages */
function* documentProblems(texts, pages) {
  const errors = anchorsOf(texts.get('docs/errors.md') ?? '')
  for (const [code] of readFileSync(new URL('src/errors.ts', root), 'utf8').matchAll(/\bERR_\w+/g)) {
    if (!/_$/.test(code) && !errors.has(slug(code))) yield `docs/errors.md: there is no ${code}`
  }
  for (const file of ['ARCHITECTURE.md', 'docs/testing.md']) {
    for (const problem of nameProblems(texts.get(file) ?? '')) yield `${file}: ${problem}`
  }
  for (const [file, text] of texts) {
    for (const target of linksOf(text)) {
      const problem = target.startsWith(SITE)
        ? pageProblem(pages, target.slice(SITE.length - 1))
        : fileProblem(texts, file, target)
      if (problem) yield `${file}: ${target}: ${problem}`
    }
  }
}

/** The targets of the links and pictures of a Markdown text. @param {string} text */
function linksOf(text) {
  const prose = text.replace(/^ *(```|~~~)[\s\S]*?^ *\1 *$/gm, '').replace(/`[^`\n]*`/g, '')
  return [
    ...prose.matchAll(/\]\(\s*<?([^()\s>]+(?:\([^()\s]*\)[^()\s]*)?)>?(?:\s+"[^"]*")?\s*\)/g),
    ...prose.matchAll(/^\[[^\]]+\]:\s*(\S+)/gm),
    ...prose.matchAll(/\b(?:href|src)="([^"]+)"/g),
  ].map(([, target = '']) => target)
}

/**
 * @param {Texts} texts
 * @param {string} from the document
 * @param {string} target
 */
function fileProblem(texts, from, target) {
  const inRepository = new RegExp(`^${REPOSITORY}(?:/(?:blob|tree)/main/|#|$)`).exec(target)
  if (/^[a-z]+:/.test(target) && !inRepository) return undefined
  const [path = '', anchor] = (
    inRepository ? target.replace(/^.*?\/(?:blob|tree)\/main\//, '').replace(REPOSITORY, '') : target
  ).split('#')
  const file = inRepository ? path || 'README.md' : path === '' ? from : posix.join(posix.dirname(from), path)
  if (file.startsWith('..') || file.startsWith('/')) return 'outside of the repository'
  if (!texts.has(file) && !existsSync(new URL(file, root))) return `there is no ${file}`
  if (anchor === undefined) return undefined
  const text = texts.get(file)
  if (text === undefined) return /^L\d+/.test(anchor) ? undefined : `#${anchor}: ${file} is not a document`
  return anchorsOf(text).has(anchor) ? undefined : `there is no #${anchor} in ${file}`
}

/** The anchors of the headings of a Markdown text. @param {string} text */
function anchorsOf(text) {
  const anchors = new Set()
  for (const [, heading = ''] of text.replace(/^ *```[\s\S]*?^ *```$/gm, '').matchAll(/^#{1,6} +(.*)$/gm)) {
    const anchor = slug(heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1'))
    let unique = anchor
    for (let number = 1; anchors.has(unique); number++) unique = `${anchor}-${number}`
    anchors.add(unique)
  }
  return anchors
}

/** @param {string} site @param {Texts} pages */
function* siteProblems(site, pages) {
  const home = pages.get('index.html') ?? ''
  for (const file of pages.keys()) {
    if (!/\.html$/.test(file) || /^404|(?:^|\/)index\.html$/.test(file)) continue
    if (!home.includes(`href="${BASE}${file.replace(/\.html$/, '')}"`))
      yield `site/${file}: the sidebar does not list it`
  }
  for (const [file, text] of pages) {
    if (
      /<(?:script|img|iframe|source)\b[^>]*\bsrc="(?:https?:)?\/\//.test(text) ||
      /<link\b[^>]*\bhref="(?:https?:)?\/\//.test(text) ||
      /url\(["']?(?:https?:)?\/\//.test(text)
    ) {
      yield `site/${file}: loads something from elsewhere`
    }
    for (const [, target = ''] of text.matchAll(/\b(?:href|src)="([^"]*)"/g)) {
      if (target.startsWith('#') || target.startsWith(BASE)) {
        const own = `/${file.replace(/(^|\/)index\.html$/, '$1').replace(/\.html$/, '')}`
        const path = target.startsWith('#') ? `${own}${target}` : target.slice(BASE.length - 1)
        const problem = pageProblem(pages, path, site)
        if (problem) yield `site/${file}: ${target}: ${problem}`
      } else if (!/^[a-z]+:/.test(target)) {
        yield `site/${file}: ${target}: outside of ${BASE}`
      }
    }
  }
}

/**
 * @param {Texts} pages
 * @param {string} target from the base of the site
 * @param {string} [site] the folder of the built site
 */
function pageProblem(pages, target, site) {
  const [, path = '', anchor] = /^([^?#]*)(?:#(.*))?/.exec(decodeURIComponent(target)) ?? []
  const file = path.slice(1)
  const found = [file.endsWith('/') || file === '' ? `${file}index.html` : file, `${file}.html`].find(
    (name) => pages.has(name),
  )
  if (found === undefined) {
    return site && existsSync(join(site, file)) && file !== '' ? undefined : `there is no page ${path}`
  }
  if (!anchor) return undefined
  return pages.get(found)?.includes(`id="${anchor}"`) ? undefined : `there is no #${anchor} in ${found}`
}

/** @param {string} folder @param {string[]} names @returns {Texts} */
function read(folder, names) {
  return new Map(names.map((name) => [name, readFileSync(join(folder, name), 'utf8')]))
}

/** @param {string} folder @param {RegExp} pattern */
function listed(folder, pattern) {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => name.replaceAll('\\', '/'))
    .filter((name) => pattern.test(name))
}
