// `npm run docs:site -- --check`: the site as a reader has it, served and opened in Chromium without a screen: links, pictures, search, both
// schemes of colours, and a phone's width. CHROMIUM names the program where it is not one of those below.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const SITE = fileURLToPath(new URL('../target/docs-site', import.meta.url));
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
};
const PHONE = { width: 390, height: 844 };

/** Debian's Chromium, which is installed where there is none. */
function chromiumPath() {
  const known = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/google-chrome'];
  const there = () => known.find((path) => path && existsSync(path));
  if (!there() && existsSync('/usr/bin/apt-get') && process.getuid?.() === 0) {
    execFileSync('apt-get', ['update'], { stdio: 'ignore' });
    execFileSync('apt-get', ['install', '-y', '--no-install-recommends', 'chromium'], { stdio: 'ignore' });
  }
  const path = there();
  if (path === undefined) throw new Error('there is no Chromium: install it, or name it in CHROMIUM');
  return path;
}

async function serve() {
  const server = createServer((request, response) => {
    const path = join(SITE, decodeURIComponent(new URL(request.url, 'http://localhost').pathname));
    const file = [path, `${path}.html`, join(path, 'index.html')].find(
      (each) => existsSync(each) && extname(each),
    );
    if (file === undefined) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream' });
    response.end(readFileSync(file));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

/** All pages, as their addresses. */
function pages() {
  return readdirSync(SITE, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.html') && name !== '404.html')
    .map((name) => `/${name.replace(/(index)?\.html$/, '')}`);
}

/** Looks at the built site; `say` is told of each check. The first that fails rejects. */
export async function checkSite(say) {
  const server = await serve();
  const url = `http://127.0.0.1:${server.address().port}`;
  const browser = await chromium.launch({ executablePath: chromiumPath(), args: ['--no-sandbox'] });
  const open = async (path, options = {}) => {
    const context = await browser.newContext(options);
    const page = await context.newPage();
    await visit(page, url + path);
    return page;
  };
  try {
    say(
      `${await links(await open('/'), url)} links and the pictures of ${pages().length} pages lead somewhere`,
    );
    await search(await open('/'));
    say('the search finds pages by their words');
    for (const colorScheme of ['light', 'dark']) {
      await scheme(await open('/benchmarks', { colorScheme }), colorScheme);
      say(`page and pictures are ${colorScheme} in the ${colorScheme} scheme`);
    }
    for (const path of ['/', '/guide', '/options', '/benchmarks', '/api/']) {
      await phone(await open(path, { viewport: PHONE, isMobile: true }), path);
    }
    say('pages are no wider than a phone, and have a menu there');
  } finally {
    await browser.close();
    server.close();
  }
}

/** Opens an address, and waits until all of it is there: of a long page the network rests before its end is read. */
async function visit(page, address) {
  await page.goto(address, { waitUntil: 'load' });
  await page.waitForLoadState('networkidle');
}

async function links(page, url) {
  const wrong = new Set();
  page.on('pageerror', (error) => wrong.add(`${page.url()}: ${error.message}`));
  page.on('response', (response) => {
    if (response.status() >= 400) wrong.add(`${page.url()}: ${response.status()} ${response.url()}`);
  });
  const ids = new Map();
  const found = [];
  for (const path of pages()) {
    await visit(page, url + path);
    ids.set(path, new Set(await page.$$eval('[id]', (elements) => elements.map(({ id }) => id))));
    for (const href of await page.$$eval('.vp-doc a[href]', (all) => all.map((a) => a.href))) {
      const { origin, pathname, hash } = new URL(href);
      if (origin === url) found.push([path, pathname, decodeURIComponent(hash.slice(1))]);
    }
    const broken = await page.$$eval('.vp-doc img', (all) =>
      all
        .filter((image) => getComputedStyle(image).display !== 'none')
        .filter((image) => image.complete && image.naturalWidth === 0)
        .map(({ src }) => src),
    );
    for (const src of broken) wrong.add(`${path}: no picture ${src}`);
  }
  for (const [from, to, id] of found) {
    const there = ids.get(to);
    if (!there || (id !== '' && !there.has(id))) wrong.add(`${from}: no ${to}${id && `#${id}`}`);
  }
  assert.deepEqual([...wrong], []);
  assert.ok(ids.size > 40 && found.length > 300, `${ids.size} pages, ${found.length} links`);
  return found.length;
}

async function search(page) {
  await page.keyboard.press('Control+k');
  await page.fill('.VPLocalSearchBox input', 'retryTopics');
  await page.waitForSelector('.VPLocalSearchBox .result');
  const found = await page.$$eval('.VPLocalSearchBox .result', (all) =>
    all.map(({ href }) => new URL(href).pathname),
  );
  assert.ok(
    found.some((path) => path === '/retries' || path === '/options'),
    `found ${found.join(', ')}`,
  );
  await page.click('.VPLocalSearchBox .result');
  await page.waitForURL((address) => address.pathname !== '/');
}

async function scheme(page, colorScheme) {
  const background = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const [red] = background.match(/\d+/g).map(Number);
  assert.equal(red > 128, colorScheme === 'light', background);
  const shown = await page.$$eval('.vp-doc img', (all) =>
    all.filter((image) => getComputedStyle(image).display !== 'none').map(({ className }) => className),
  );
  assert.ok(shown.length > 3);
  assert.deepEqual([...new Set(shown)], [`only-${colorScheme}`]);
}

async function phone(page, path) {
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(width <= PHONE.width, `${path} is ${width} pixels wide`);
  await page.click('.VPNavBarHamburger');
  await page.waitForSelector('.VPNavScreen');
}
