// The site: VitePress over docs/, which can also be read on GitHub.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, posix, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { root } from '../../lib/run.js'
import { BASE, REPOSITORY, SITE, slug } from '../site.js'

const checkout = fileURLToPath(root)
const docs = join(checkout, 'docs')

/** @param {string} text @param {string} link */
const page = (text, link) => ({ text, link })

export default {
  title: 'process-rwlock',
  description: 'A reader-writer lock that the processes and worker threads of one machine share.',
  lang: 'en',
  base: BASE,
  cleanUrls: true,
  sitemap: { hostname: SITE },
  srcDir: relative(join(import.meta.dirname, '..'), docs),
  outDir: join(checkout, '.cache/site'),
  cacheDir: join(checkout, '.cache/vitepress'),
  srcExclude: ['README.md'], // on GitHub it lists the folder; on the site the sidebar does
  rewrites: Object.fromEntries(
    ['design', 'migrating', 'recipes'].map((folder) => [`${folder}/README.md`, `${folder}/index.md`]),
  ),
  transformPageData: ({ filePath }) => ({ description: summary(filePath) }),
  head: [['link', { rel: 'icon', href: 'data:image/svg+xml,<svg xmlns="http://www.w3.org/2000/svg" />' }]],
  markdown: {
    anchor: { slugify: slug },
    config: (/** @type {any} */ md) => md.core.ruler.push('repository-links', repositoryLinks),
  },
  vite: { server: { fs: { allow: [checkout] } } },
  themeConfig: {
    search: { provider: 'local' },
    outline: [2, 3],
    socialLinks: [{ icon: 'github', link: REPOSITORY }],
    nav: [page('Start', '/start'), page('Recipes', '/recipes/'), page('API', '/api')],
    sidebar: [
      {
        text: 'Introduction',
        items: [page('Overview', '/'), page('Getting started', '/start'), page('Comparison', '/comparison')],
      },
      {
        text: 'Recipes',
        items: [
          page('All recipes', '/recipes/'),
          page('Shared JSON file', '/recipes/json-file'),
          page('Token refresh', '/recipes/token-refresh'),
          page('Scheduled job', '/recipes/scheduled-job'),
          page('Build once', '/recipes/build-once'),
          page('Single instance', '/recipes/single-instance'),
          page('Several locks', '/recipes/several-locks'),
          page('Concurrency and rate limits', '/recipes/limit-concurrency'),
          page('Functions that call each other', '/recipes/reentrant'),
          page('HTTP server', '/recipes/http-server'),
          page('Containers and users', '/recipes/containers'),
          page('Log rotation', '/recipes/log-rotation'),
          page('Lock caching', '/recipes/lock-caching'),
          page('SQLite writers', '/recipes/sqlite'),
          page('Electron', '/recipes/electron'),
        ],
      },
      {
        text: 'Migrating',
        collapsed: true,
        items: [
          page('Overview', '/migrating/'),
          page('proper-lockfile', '/migrating/proper-lockfile'),
          page('lockfile', '/migrating/lockfile'),
          page('flock', '/migrating/flock'),
          page('async-mutex', '/migrating/async-mutex'),
          page('mortice', '/migrating/mortice'),
          page('Web Locks', '/migrating/web-locks'),
          page('fasteners', '/migrating/fasteners'),
          page('prwlock', '/migrating/prwlock'),
        ],
      },
      {
        text: 'API',
        items: [
          page('API', '/api'),
          page('Errors', '/errors'),
          page('Command line', '/cli'),
          { ...reference(), collapsed: true },
        ],
      },
      {
        text: 'Behaviour',
        items: [
          page('Locks over PostgreSQL', '/postgres'),
          page('Guarantees and limits', '/guarantees'),
          page('Choosing a lock', '/choosing'),
          page('Locks over PostgreSQL', '/postgres'),
          page('Diagnostics', '/diagnostics'),
          page('Platforms', '/platforms'),
          page('Bundlers and runtimes', '/bundlers'),
          page('Performance', '/performance'),
          page('Testing', '/testing'),
        ],
      },
      {
        text: 'Design',
        collapsed: true,
        items: [
          page('How it works', '/design/'),
          page('Shared memory', '/design/0001-shared-memory'),
          page('Byte locks', '/design/0002-byte-locks'),
          page('No leases', '/design/0003-no-leases'),
          page('Bounded barging', '/design/0004-bounded-barging'),
          page('Doorbell', '/design/0005-doorbell'),
          page('Bare Node-API', '/design/0006-bare-node-api'),
          page('A limit on readers', '/design/0007-reader-limit'),
          page('Steals', '/design/0008-steal'),
          page('Web Locks', '/design/0009-web-locks'),
          page('Permits over PostgreSQL', '/design/0010-permits-over-postgresql'),
        ],
      },
    ],
  },
}

/** The first paragraph of a page, for search engines. @param {string} file */
function summary(file) {
  const text = readFileSync(
    join(file === 'index.md' ? checkout : docs, file === 'index.md' ? 'README.md' : file),
    'utf8',
  )
  const paragraph = text.split('\n\n').find((part) => /^(?!```)[\p{Letter}*`]/u.test(part)) ?? ''
  return paragraph.replace(/\[([^\]]*)\]\([^)]*\)|[*`]/g, '$1').replaceAll('\n', ' ')
}

/** The pages that TypeDoc generates. */
function reference() {
  const folder = join(docs, 'reference')
  const files = existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: 'utf8' }) : []
  const names = files
    .filter((name) => name.endsWith('.md') && posix.basename(name) !== 'index.md')
    .map((name) => name.replaceAll('\\', '/').slice(0, -3))
    .sort((a, b) => posix.basename(a).localeCompare(posix.basename(b)))
  return {
    text: 'Reference',
    link: '/reference/',
    items: names.map((name) => page(posix.basename(name), `/reference/${name}`)),
  }
}

/**
 * Converts links, which are relative to the repository: within docs/ to pages, all others to
 * GitHub.
 *
 * @param {any} state of markdown-it
 */
function repositoryLinks({ tokens, env }) {
  // The front page includes README.md, whose links are relative to the root.
  const own = relative(docs, env.path).replaceAll('\\', '/')
  const folder = own === 'index.md' ? '' : posix.join('docs', dirname(own))
  for (const token of tokens.flatMap((/** @type {any} */ each) => each.children ?? [])) {
    const attribute = { link_open: 'href', image: 'src' }[/** @type {string} */ (token.type)]
    const target = attribute && token.attrGet(attribute)
    if (target && !/^(#|[a-z]+:)/.test(target)) {
      token.attrSet(attribute, token.type === 'image' ? image(target) : link(target))
    }
  }

  /** @param {string} target */
  function image(target) {
    return posix.relative(posix.join('docs', dirname(own)), posix.join(folder, target))
  }

  /** @param {string} target */
  function link(target) {
    const [path = '', anchor] = target.split('#')
    const file = posix.join(folder, path)
    const suffix = anchor === undefined ? '' : `#${anchor}`
    if (!file.startsWith('docs/')) {
      const full = join(checkout, file)
      const kind = existsSync(full) && statSync(full).isDirectory() ? 'tree' : 'blob'
      return `${REPOSITORY}/${kind}/main/${file}${suffix}`
    }
    return `/${file.slice('docs/'.length).replace(/README\.md$/, 'index.md')}${suffix}`
  }
}
