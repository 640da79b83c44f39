// Draws the saved results as SVG.
import { writeFileSync } from 'node:fs'
import { nameOf, OURS } from '../competitors.js'
import { load } from '../peers/index.js'
import { folder, saved } from './save.js'

const OUR_COLOUR = '#d9480f'
const OTHERS = '#868e96'
/** Legible on white as well as on black. */
const TEXT = '#6c757d'

const isOurs = (/** @type {any} */ { system }) => system === OURS
const colour = {
  condition: { test: 'datum.ours', value: OUR_COLOUR },
  value: OTHERS,
}

export async function drawCharts() {
  const results = Object.fromEntries(saved().map(({ name, ...rest }) => [name, rest]))
  for (const [name, { from, draw }] of Object.entries(charts)) {
    if (!results[from]) continue
    const { machine, result } = results[from]
    const { cpu, cores, node, date } = machine
    const caption = `${cpu}, ${cores} cores, ${machine.system}, Node.js ${node.slice(1)}, ${date}`
    writeFileSync(new URL(`${name}.svg`, folder), await svg(draw(result), caption))
  }
}

/**
 * @param {Record<string, any>} specification of Vega-Lite
 * @param {string} caption
 */
async function svg({ title, notes = [], ...specification }, caption) {
  const { parse, View } = await load('vega')
  const { compile } = await load('vega-lite')
  const { spec } = compile({
    background: null,
    padding: 12,
    title: { text: title, subtitle: [caption, ...notes], anchor: 'start', offset: 12 },
    config: {
      font: 'system-ui, sans-serif',
      title: { color: TEXT, subtitleColor: TEXT, fontSize: 15, subtitleFontSize: 10 },
      axis: {
        labelColor: TEXT,
        titleColor: TEXT,
        gridColor: TEXT,
        gridOpacity: 0.2,
        domainColor: TEXT,
        tickColor: TEXT,
        labelLimit: 300,
      },
      legend: { labelColor: TEXT, titleColor: TEXT, labelLimit: 300 },
      header: { labelColor: TEXT, titleColor: TEXT, labelFontSize: 12 },
      text: { color: TEXT },
      view: { stroke: null },
    },
    ...specification,
  })
  return `${await new View(parse(spec), { renderer: 'none' }).toSVG()}\n`
}

const SHORT_TIME =
  "datum.value >= 1e9 ? format(datum.value / 1e9, '~r') + ' s' : datum.value >= 1e6 ? format(datum.value / 1e6, '~r') + ' ms' : datum.value >= 1e3 ? format(datum.value / 1e3, '~r') + ' µs' : format(datum.value, '~r') + ' ns'"

/**
 * The powers of ten around all of `values`: the ticks of a logarithmic scale.
 *
 * @param {number[]} values
 */
function powers(values) {
  const first = Math.floor(Math.log10(Math.min(...values)))
  const last = Math.ceil(Math.log10(Math.max(...values)))
  return Array.from({ length: last - first + 1 }, (_, index) => 10 ** (first + index))
}

/** Three digits, in the format of the axis. */
const timeText = (/** @type {string} */ field) =>
  SHORT_TIME.replaceAll('datum.value', `datum.${field}`).replaceAll("'~r'", "'.3~r'")

/**
 * Bars on a logarithmic scale of time, shortest first, with their spread.
 *
 * @param {any[]} rows with a median, p10 and p90 in ns
 * @param {string} axis
 * @param {object} [facet]
 */
function bars(rows, axis, facet) {
  const values = rows.map((row) => ({ name: nameOf(row), ours: isOurs(row), ...row }))
  const sorted = [...values].sort((a, b) => a.median - b.median)
  const y = {
    field: 'name',
    type: 'nominal',
    sort: [...new Set(sorted.map(({ name }) => name))],
    title: null,
  }
  const ticks = powers(values.flatMap(({ p10, p90 }) => [p10, p90]))
  const scale = { type: 'log', domain: [ticks[0], ticks[ticks.length - 1]] }
  const layer = [
    {
      mark: { type: 'bar', height: { band: 0.7 } },
      encoding: {
        x: {
          field: 'median',
          type: 'quantitative',
          scale,
          title: axis,
          axis: { labelExpr: SHORT_TIME, values: ticks },
        },
        x2: { datum: ticks[0] },
        color: colour,
      },
    },
    {
      mark: { type: 'rule', color: '#212529', opacity: 0.6 },
      encoding: { x: { field: 'p10', type: 'quantitative' }, x2: { field: 'p90' } },
    },
    {
      mark: { type: 'text', align: 'left', dx: 6 },
      transform: [{ calculate: timeText('median'), as: 'label' }],
      encoding: { x: { field: 'p90', type: 'quantitative' }, text: { field: 'label' } },
    },
  ]
  const unit = { width: facet ? 300 : 520, height: { step: 20 }, encoding: { y }, layer }
  return facet ? { data: { values }, ...facet, spec: unit } : { data: { values }, ...unit }
}

/** @type {Record<string, { from: string, draw: (result: any) => Record<string, any> }>} */
const charts = {
  pairs: {
    from: 'pairs',
    draw: ({ between }) => ({
      title: 'Uncontended acquire and release (logarithmic)',
      ...bars(between, 'median, 10–90 %', { facet: { column: { field: 'mode', title: null } } }),
    }),
  },

  scaling: {
    from: 'scaling',
    draw: (rows) => {
      const shown = {
        'process-rwlock (Rust)': OUR_COLOUR,
        'process-rwlock (Node.js)': '#f59f00',
        'pthread (C)': '#1971c2',
        'flock (C)': '#2f9e44',
        'prwlock (Python)': '#9c36b5',
        'fasteners (Python)': '#868e96',
      }
      const values = rows
        .map((/** @type {any} */ row) => ({ name: nameOf(row), ...row }))
        .filter((/** @type {any} */ { name }) => name in shown)
      return {
        title: 'Read pairs per second, of all processes together (logarithmic)',
        width: 480,
        height: 300,
        data: { values },
        mark: { type: 'line', point: true },
        encoding: {
          x: { field: 'processes', type: 'ordinal', title: 'processes', axis: { labelAngle: 0 } },
          y: {
            field: 'median',
            type: 'quantitative',
            scale: { type: 'log' },
            title: null,
            axis: { format: '~s', values: powers(values.map((/** @type {any} */ { median }) => median)) },
          },
          color: {
            field: 'name',
            title: null,
            scale: { domain: Object.keys(shown), range: Object.values(shown) },
          },
        },
      }
    },
  },

  contended: {
    from: 'contended',
    draw: (rows) => {
      const values = rows
        .filter((/** @type {any} */ { mix }) => mix === '90/10')
        .map((/** @type {any} */ row) => ({
          name: nameOf(row),
          ours: isOurs(row),
          body: `body: ${row.body}`,
          throughput: row.median,
          wait: row.waits.write.usualMax,
        }))
      const names = values
        .toSorted((/** @type {any} */ one, /** @type {any} */ other) => other.throughput - one.throughput)
        .map((/** @type {any} */ { name }) => name)
      const panel = (
        /** @type {string} */ field,
        /** @type {string} */ title,
        /** @type {object} */ axis,
      ) => {
        const ticks = powers(values.map((/** @type {any} */ value) => value[field]))
        const scale = { type: 'log', domain: [ticks[0], ticks[ticks.length - 1]] }
        return {
          width: 300,
          height: { step: 20 },
          mark: { type: 'bar', height: { band: 0.7 } },
          encoding: {
            y: { field: 'name', type: 'nominal', title: null, sort: [...new Set(names)] },
            x: { field, type: 'quantitative', scale, title, axis: { values: ticks, ...axis } },
            x2: { datum: ticks[0] },
            color: colour,
          },
        }
      }
      const bodies = [...new Set(values.map((/** @type {any} */ { body }) => body))]
      return {
        title: '4 processes, 90 % reads (logarithmic)',
        data: { values },
        vconcat: bodies.map((body) => ({
          title: { text: body, fontSize: 12, anchor: 'start' },
          transform: [{ filter: { field: 'body', equal: body } }],
          hconcat: [
            panel('throughput', 'operations per second: more is better', { format: '~s' }),
            panel('wait', 'longest wait of a writer: less is better', { labelExpr: SHORT_TIME }),
          ],
        })),
      }
    },
  },

  handoff: {
    from: 'handoff',
    draw: (rows) => ({
      title: 'From a release to the next writer, in another process that sleeps',
      ...bars(
        rows.filter((/** @type {any} */ { samples }) => samples > 0),
        'median, 10–90 %',
      ),
    }),
  },

  recovery: {
    from: 'recovery',
    draw: (rows) => {
      const never = rows.filter((/** @type {any} */ row) => row.never !== undefined)
      const small = new Set(rows.filter((/** @type {any} */ { size }) => size === 'small').map(nameOf))
      return {
        title: 'From SIGKILL of the holder to the next one (logarithmic)',
        notes: [`not within ${never[0]?.never / 1000} s: ${never.map(nameOf).join(', ')}`],
        ...bars(
          rows.filter(
            (/** @type {any} */ row) =>
              row.never === undefined && (row.size === 'small' || !small.has(nameOf(row))),
          ),
          'median, 10–90 %',
        ),
      }
    },
  },
}
