// Mistakes in the documents and in the built site that `npm run docs -- --mutants` must find; `by` is a part of what it reports.
import { text } from '../operators.js'

/** @type {(import('../mutate.js').Mutant & { of: 'documents' | 'site', by: string })[]} */
export const mutants = [
  {
    name: 'a link to a missing document',
    of: 'documents',
    by: 'no docs/apis.md',
    change: [text('README.md', '(docs/api.md)', '(docs/apis.md)')],
  },
  {
    name: 'a link to a missing anchor of the same document',
    of: 'documents',
    by: '#err_lock_closed',
    change: [text('docs/errors.md', '## ERR_LOCK_CLOSED', '## Closed')],
  },
  {
    name: 'an error code without an anchor',
    of: 'documents',
    by: 'no ERR_LOCK_FULL',
    change: [text('docs/errors.md', '## ERR_LOCK_FULL', '## Full')],
  },
  {
    name: 'a link to a missing anchor of another document',
    of: 'documents',
    by: '#unsupported',
    change: [text('docs/start.md', 'errors.md#err_lock_unsupported', 'errors.md#unsupported')],
  },
  {
    name: 'a missing picture',
    of: 'documents',
    by: 'no bench/results/pair.svg',
    change: [text('docs/comparison.md', 'results/pairs.svg', 'results/pair.svg')],
  },
  {
    name: 'a link to a missing page of the site',
    of: 'documents',
    by: 'no page /guarantee',
    change: [text('llms.txt', '/guarantees)', '/guarantee)')],
  },
  {
    name: 'a file that the architecture names and that does not exist',
    of: 'documents',
    by: 'no src/lock.ts',
    change: [text('ARCHITECTURE.md', '| `src/rwlock.ts`, constructor |', '| `src/lock.ts`, constructor |')],
  },
  {
    name: 'a name that the architecture mentions and that does not exist',
    of: 'documents',
    by: 'the name LAYOUTS_VERSION',
    change: [text('ARCHITECTURE.md', 'raise `LAYOUT_VERSION`', 'raise `LAYOUTS_VERSION`')],
  },
  {
    name: 'a page without an anchor that another links to',
    of: 'site',
    by: '#child-processes',
    change: [text('start.html', 'id="child-processes"', 'id="children"')],
  },
  {
    name: 'a page that the sidebar does not list',
    of: 'site',
    by: 'site/migrating/flock.html: the sidebar',
    change: [
      text('index.html', 'href="/process-rwlock/migrating/flock"', 'href="/process-rwlock/migrating/"'),
    ],
  },
  {
    name: 'a script from another site',
    of: 'site',
    by: 'from elsewhere',
    change: [text('start.html', '</head>', '<script src="https://x.test/a.js"></script></head>')],
  },
]
