// What the store starts with: the names of the world's currencies in twenty languages, from Node's own locale data.
const LANGUAGES = 'ar bn de en es fa fr hi id it ja ko nl pl pt ru th tr vi zh'.split(' ')

/** @returns {Record<string, string>} 'de/JPY': 'Japanischer Yen', … */
export function currencyNames() {
  const entries = {}
  for (const language of LANGUAGES) {
    const names = new Intl.DisplayNames(language, { type: 'currency' })
    for (const code of Intl.supportedValuesOf('currency')) {
      entries[`${language}/${code}`] = names.of(code) ?? code
    }
  }
  return entries
}
