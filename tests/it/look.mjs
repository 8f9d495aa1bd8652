// Opens a page of ours in a real browser, looks at it as a person would, and says what it saw, as one JSON
// object. Usage: node look.mjs DIRECTORY_OF_PLAYWRIGHT PAGE [DIRECTORY_FOR_PICTURES]
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [packages, file, pictures] = process.argv.slice(2);
const { chromium } = createRequire(`${packages}/`)('playwright-core');
const executablePath = process.env.TRIPLINE_CHROMIUM ?? '/usr/bin/chromium';
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
const page = await browser.newPage({ viewport: { width: 1120, height: 900 } });

const seen = { requests: [], complaints: [], dialogs: 0 };
page.on('request', (request) => seen.requests.push(request.url().split(':')[0]));
page.on('console', (message) => message.type() === 'error' && seen.complaints.push(message.text()));
page.on('pageerror', (error) => seen.complaints.push(String(error)));
page.on('dialog', (dialog) => {
  seen.dialogs += 1;
  return dialog.dismiss();
});

const texts = (selector) => page.locator(selector).allInnerTexts();
const picture = async (name, options = {}) =>
  pictures && page.screenshot({ path: `${pictures}/${name}.png`, fullPage: true, ...options });

const started = Date.now();
await page.goto(pathToFileURL(file).href);
// A backtest stands there without a script; a report is ready when its script says so.
const isReport = (await page.locator('script').count()) > 0;
if (isReport) await page.waitForSelector('html[data-ready]');
seen.opened_ms = Date.now() - started;
seen.ready = isReport ? await page.getAttribute('html', 'data-ready') : 'yes';
seen.title = await page.title();
seen.incidents = await texts('.incident h3');
seen.sentences = await texts('.incident .sentence');

// What is drawn when it is looked at.
for (const box of await page.locator('[data-incident], [data-sessions], [data-agents]').all()) {
  await box.scrollIntoViewIfNeeded();
}
if (seen.incidents.length > 0) {
  const chart = page.locator('.incident svg.chart').first();
  await chart.waitFor();
  seen.chart = await chart.getAttribute('aria-label');
  seen.done = await page.locator('.incident svg.chart text.done').allTextContents();
  seen.marks = await page.locator('.incident svg.chart .call').count();
  seen.credentials = await page.locator('.incident svg.lineage .box').count();
  // By keyboard alone.
  await chart.focus();
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowRight');
  seen.detail = await page.locator('.incident .detail').first().innerText();
  await page.locator('.incident .detail button').first().focus();
  await page.keyboard.press('Enter');
  await page.locator('.incident .record:visible').first().waitFor();
  seen.record = await page.locator('.incident .record').first().innerText();
}

if (isReport) await lookThrough();

// What hostile text would have made of the page.
seen.strangers = await page.evaluate(() => ({
  elements: document.querySelectorAll('img, iframe, object, embed, a[href^="javascript"], b, script[src], link').length,
  scripts: document.scripts.length,
  owned: String(window.owned),
}));
seen.charts = await page.locator('svg').count();
seen.names = await texts('#agents tbody th bdi');
seen.text = (await page.locator('body').innerText()).slice(0, 400_000);

await picture('light');
await page.emulateMedia({ colorScheme: 'dark' });
await picture('dark');
await page.emulateMedia({ colorScheme: 'light', media: 'print' });
await page.evaluate(() => window.dispatchEvent(new Event('beforeprint')));
await picture('print');
if (pictures) await page.pdf({ path: `${pictures}/print.pdf`, format: 'A4' });
await page.emulateMedia({ colorScheme: 'light', media: 'screen' });
await page.setViewportSize({ width: 390, height: 844 });
await picture('phone', { fullPage: false });
seen.too_wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);

await browser.close();
console.log(JSON.stringify(seen));

// Sessions, filtered, and agents.
async function lookThrough() {
  await page.locator('[data-sessions] tbody tr').first().waitFor();
  const rows = () => page.locator('[data-sessions] tbody tr').count();
  seen.sessions = await page.locator('[data-sessions] [role=status]').first().innerText();
  seen.sessions_shown = await rows();
  await page.selectOption('#session-verdict', '3');
  seen.sessions_to_kill = await rows();
  await page.selectOption('#session-verdict', '0');
  const typed = Date.now();
  await page.fill('#session-search', 'no such agent');
  seen.sessions_of_nobody = await rows();
  seen.filtered_ms = Date.now() - typed;
  await page.fill('#session-search', '');
  await page.locator('[data-sessions] tbody .link').first().click();
  await page.locator('.opened svg.lineage').waitFor();
  seen.opened_session = await page.locator('.opened h3').innerText();
  seen.agents = await texts('[data-agents] tbody .link');
  seen.hours = await page.locator('[data-agents] .heat tbody tr').count();
}
