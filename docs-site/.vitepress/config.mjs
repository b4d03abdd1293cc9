import { defineConfig } from 'vitepress';
import { nameOf, sidebar } from '../stage.mjs';

export default defineConfig({
  title: 'nestjs-kafka-native',
  description: "NestJS's Kafka transport on a Rust core",
  srcDir: 'pages',
  outDir: '../target/docs-site',
  // Where the site is not at the top of its host.
  base: process.env.DOCS_BASE ?? '/',
  cleanUrls: true,
  markdown: {
    // GitHub's names of headings: links are written for both.
    anchor: { slugify: nameOf },
    // Texts are written as Markdown alone: what looks like a template is text.
    config: (md) => {
      for (const rule of ['text', 'code_inline']) {
        const render =
          md.renderer.rules[rule] ?? ((tokens, index) => md.utils.escapeHtml(tokens[index].content));
        md.renderer.rules[rule] = (tokens, index, ...rest) =>
          render(tokens, index, ...rest).replaceAll('{{', '&#123;&#123;');
      }
    },
  },
  themeConfig: {
    search: { provider: 'local' },
    outline: [2, 3],
    nav: [
      { text: 'Guide', link: '/guide' },
      { text: 'Options', link: '/options' },
      { text: 'API', link: '/api/modules' },
      { text: 'Changes', link: '/changelog' },
    ],
    sidebar: sidebar(),
  },
});
