// Stands in for Gradio's own js/tootils/src/index.ts, which is beside it as own.ts: where
// GATEHOUSE_URL is set, every demo that a spec opens is opened through Gatehouse.
import { test as own } from "./own";

export * from "./own";

const house = process.env.GATEHOUSE_URL;

export const test = own.extend({
  page: async ({ page }, use) => {
    if (house) {
      const goto = page.goto.bind(page);
      page.goto = (url, options) => goto(publicly(url), options);
    }
    await use(page);
  }
});

/** http://localhost:7860/up is /gradio/7860/up at Gatehouse, whose own pages stay as they are. */
function publicly(url: string): string {
  return url.startsWith(house!) ? url : url.replace(/^http:\/\/localhost:(\d+)\/?/, `${house}/gradio/$1/`);
}
