// Draws an Adaptive Card in a real browser by Microsoft's own renderer, and says what is seen, as one JSON
// object. Usage: node card_look.mjs COMPONENTS < CARD
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const [components] = process.argv.slice(2);
const { chromium } = createRequire(`${components}/browser/`)('playwright-core');
const executablePath = process.env.TRIPLINE_CHROMIUM ?? '/usr/bin/chromium';
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
const page = await browser.newPage({ viewport: { width: 600, height: 900 } });
const seen = { requests: [], complaints: [] };
page.on('request', (request) => seen.requests.push(request.url()));
page.on('pageerror', (error) => seen.complaints.push(String(error)));
await page.addScriptTag({ path: `${components}/node/node_modules/adaptivecards/dist/adaptivecards.js` });
await page.evaluate((card) => {
  const drawn = new AdaptiveCards.AdaptiveCard();
  drawn.parse(card);
  document.body.append(drawn.render());
}, JSON.parse(readFileSync(0, 'utf8')));
seen.text = await page.locator('.ac-adaptiveCard').innerText();
seen.buttons = await page.locator('.ac-adaptiveCard .ac-pushButton').allInnerTexts();
seen.strangers = await page.locator('.ac-adaptiveCard').locator('a, img, script, iframe, b, i').count();
seen.owned = await page.evaluate(() => String(window.owned));
await browser.close();
console.log(JSON.stringify(seen));
